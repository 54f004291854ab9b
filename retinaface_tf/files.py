"""Files that are there whole or not at all, whenever the process is killed."""

from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Writes `text` beside `file` and puts it in its place.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    scratch = file.with_name(f".{file.name}")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(file)
