"""The exceptions that users see: as one line on stderr, and an exit code.

    RetinaFaceError
    ├── InputError         exit code 1: a file, a setting or a flag that the user can mend
    ├── DoesNotHold        exit code 2: a check that the command exists for
    ├── LostWorkerError    exit code 75: another worker of the run is gone; start again
    └── StoppedError       exit code 75: a signal stopped training before its first step

What is raised beside these is a bug and keeps its traceback; a TypeError is a bug of the caller.
"""

import re
from enum import IntEnum

from retinaface_tf.printing import printable

BAD_INPUT, DOES_NOT_HOLD, STOPPED = 1, 2, 75  # exit codes; 75 asks to be started again
INTERRUPTED = 130  # the exit code of a command that Ctrl-C has ended, as shells have it

_LENGTH, _BEGINNING, _END = 200, 75, 120  # letters of a line, and what stays of a longer one
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
    """Stands for all errors that this package raises on purpose.

    Examples:
        >>> issubclass(InputError, RetinaFaceError)
        True
    """

    exit_code = BAD_INPUT

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(RetinaFaceError):
    """Says that the user can mend something: a file, a key, a label, a flag.

    The message is one line that names the file (and the line in it), what was found and what was
    expected.

    Examples:
        >>> raise InputError("label.txt:3: expected 4 numbers or more, found 2")
        Traceback (most recent call last):
        retinaface_tf.errors.InputError: label.txt:3: expected 4 numbers or more, found 2
    """


class DoesNotHold(RetinaFaceError):
    """Says that what a command was to check does not hold."""

    exit_code = DOES_NOT_HOLD


class LostWorkerError(RetinaFaceError):
    """Says that another worker of the run is gone, and that all have to be started again."""

    exit_code = STOPPED


class StoppedError(RetinaFaceError):
    """Says that a signal stopped training before its first step: there was nothing to save."""

    exit_code = STOPPED


def one_line(error: object) -> str:
    """Shortens the message of another library's error to a part of one line.

    What TensorFlow says about its graph is left out, and so are its traces. Of a long message the
    beginning and the end stay, since file systems name a path first and the cause last.

    Returns:
        At most 200 printable characters; the name of the error's type if it has no message.
    """
    text = _NOISE.sub(" ", str(error)) or type(error).__name__
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= _LENGTH else f"{text[:_BEGINNING]} ... {text[-_END:]}"


class ImageError(IntEnum):
    """The output `error` of an exported model, one of each image."""

    NONE = 0
    UNKNOWN_KIND = 1  # neither JPEG, PNG, GIF, BMP nor WebP; no bytes at all
    BROKEN = 2  # of such a kind, but cut short or damaged
    TOO_SMALL = 3  # a side has not even the pixels of the finest stride, so that no anchor fits
    TOO_LARGE = 4  # more pixels, or a longer side, than the model was exported for
    TOO_COMPLEX = 5  # a JPEG, PNG or GIF of more parts than the limits of `data.outline` allow
