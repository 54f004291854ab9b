"""The exceptions that users see: as one line on stderr, and an exit code."""

from enum import IntEnum

BAD_INPUT, DOES_NOT_HOLD, STOPPED = 1, 2, 75  # exit codes; 75 asks to be started again


class InputError(Exception):
    """Something the user can mend: a file, a key, a label, a flag.

    The message is one line that names the file (and the line in it), what was found and what was
    expected. Entry points print it and exit with code 1; anything else is a bug and keeps its
    traceback.
    """


class DoesNotHold(Exception):
    """What a command was to check does not hold; entry points print it and exit with code 2."""


class LostWorkerError(Exception):
    """Another worker of the run is gone. Entry points say so and exit with code 75: start again."""


def one_line(told: object) -> str:
    """What others' code told, perhaps over several lines, as part of such a message."""
    return " ".join(str(told).split())


class ImageError(IntEnum):
    """The output `error` of an exported model, one of each image."""

    NONE = 0
    UNKNOWN_KIND = 1  # neither JPEG, PNG, GIF, BMP nor WebP; no bytes at all
    BROKEN = 2  # of such a kind, but cut short or damaged
    TOO_SMALL = 3  # a side has not even the pixels of the finest stride, so that no anchor fits
    TOO_LARGE = 4  # more pixels, or a longer side, than the model was exported for
    TOO_COMPLEX = 5  # a JPEG, PNG or GIF of more parts than the limits of `data.outline` allow
