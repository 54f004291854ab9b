"""Makes text safe to print, whatever the names in it contain.

Names of files, tensors and keys come from other people's files, and may hold codes that recolour
a terminal, clear it or type into it. All text for a terminal or a log passes through here.
"""

import logging


def printable(text: str) -> str:
    r"""Escapes what could control a terminal: control codes, changes of direction, broken Unicode.

    Line ends and tabs stay.

    Examples:
        >>> print(printable("\x1b[2J.jpg"))
        \x1b[2J.jpg
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1]
        for letter in text
    )


def say(text: object) -> None:
    """Prints a command's answer to stdout."""
    print(printable(str(text)), flush=True)


class PrintableFormatter(logging.Formatter):
    """Formats log records so that nothing in them can control a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats a record."""
        return printable(super().format(record))
