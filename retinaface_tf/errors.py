"""The exceptions that users see, as one line."""


class InputError(Exception):
    """Something the user can mend: a file, a key, a label, a flag.

    The message is one line that names the file (and the line in it), what was found and what was
    expected. Entry points print it and exit with code 1; anything else is a bug and keeps its
    traceback.
    """


class DoesNotHold(Exception):
    """What a command was to check does not hold; entry points print it and exit with code 2."""
