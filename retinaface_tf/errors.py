"""The exceptions that users see: as one line on stderr, and an exit code."""


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
