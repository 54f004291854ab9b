"""Formats counts in lines that users read."""


def counted(number: int, noun: str) -> str:
    """Writes a count with its noun: `1 face`, `2 faces`.

    Args:
        number: how many there are.
        noun: in the singular, with a regular plural.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
