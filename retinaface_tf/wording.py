"""Words the lines that users read."""


def counted(number: int, noun: str) -> str:
    """Counts things: `1 face`, `2 faces`.

    Args:
        number: of the things.
        noun: in the singular, with a regular plural.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
