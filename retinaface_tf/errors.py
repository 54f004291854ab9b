"""Defines the exceptions that users see as one line on stderr and an exit code.

    RetinaFaceError
    ├── InputError         exit code 1: a file, a setting or a flag that the user can correct
    ├── DoesNotHold        exit code 2: the check that the command makes failed
    ├── LostWorkerError    exit code 75: another worker of the run was lost; start again
    └── StoppedError       exit code 75: a signal stopped training before its first step

Any other exception is a bug and keeps its traceback; a TypeError is a bug of the caller.
"""

import re
from enum import IntEnum

from retinaface_tf.printing import printable

BAD_INPUT, DOES_NOT_HOLD, STOPPED = 1, 2, 75  # exit codes; 75 asks for a restart
INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended, as in shells

_LENGTH, _BEGINNING, _END = 200, 75, 120  # characters of a line, and the ends kept of a longer one
# In TensorFlow's messages: nodes and operations of the graph, and where they were made.
_NOISE = re.compile(
    r"""
    \{\{.*?\}\} | \[\[.*?\]\] | \[Op:.*?\](?:\ name:)?
    | ^Graph\ execution\ error:$ | ^Detected\ at\ node.*$ | <stack\ traces\ unavailable>
    | ^\s*File\ ".*",\ line\ \d+.*(?:\n[\ \t]+.*)? | ^Original\ stack\ trace.*(?:\n.*)*
    | ^Additional\ GRPC\ error\ information.*(?:\n.*)*
    | Error\ in\ user-defined\ function\ passed\ to\ .*?\ with\ iterator:\ \S+:(?=\s)
    | \d+\ successful\ operations\. | \d+\ derived\ errors\ ignored\.
    """,
    re.MULTILINE | re.VERBOSE,
)


class RetinaFaceError(Exception):
    """Is the base class of all errors that this package raises on purpose.

    Examples:
        >>> issubclass(InputError, RetinaFaceError)
        True
    """

    exit_code = BAD_INPUT

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(RetinaFaceError):
    """Reports what the user can correct: a file, a key, a label, a flag.

    The message is one line that names the file (and the line in it), what was found and what was
    expected.

    Examples:
        >>> raise InputError("label.txt:3: expected 4 numbers or more, found 2")
        Traceback (most recent call last):
        retinaface_tf.errors.InputError: label.txt:3: expected 4 numbers or more, found 2
    """


class DoesNotHold(RetinaFaceError):
    """Reports that the check a command makes has failed."""

    exit_code = DOES_NOT_HOLD


class LostWorkerError(RetinaFaceError):
    """Reports that another worker of the run was lost, so that all must be started again."""

    exit_code = STOPPED


class StoppedError(RetinaFaceError):
    """Reports that a signal stopped training before its first step: there was nothing to save."""

    exit_code = STOPPED


def one_line(error: object) -> str:
    """Shortens the message of another library's error to part of one line.

    TensorFlow's traces and remarks on its graph are left out. A long message keeps its beginning
    and its end, since file systems name a path first and the cause last.

    Returns:
        At most 200 printable characters; the name of the error's type if it has no message.
    """
    text = _NOISE.sub(" ", str(error)) or type(error).__name__
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= _LENGTH else f"{text[:_BEGINNING]} ... {text[-_END:]}"


class ImageError(IntEnum):
    """Lists the values of an exported model's output `error`, which has one for each image."""

    NONE = 0
    UNKNOWN_KIND = 1  # neither JPEG, PNG, GIF, BMP nor WebP, or empty
    BROKEN = 2  # of a known kind, but cut short or damaged
    TOO_SMALL = 3  # a side is shorter than the finest stride, so that no anchor fits
    TOO_LARGE = 4  # more pixels, or a longer side, than the model was exported for
    TOO_COMPLEX = 5  # a JPEG, PNG or GIF with more parts than the limits of `data.outline` allow
