"""Parses the lines of label files into images and rows of numbers.

`data.widerface` describes the formats, and makes records of what is parsed here.
"""

from dataclasses import dataclass
from pathlib import Path

from retinaface_tf.errors import InputError

BOX_COLUMNS, OFFICIAL_COLUMNS, LANDMARK_COLUMNS = 4, 10, 20
MAX_COORDINATE = 1e6  # pixels; also keeps out NaN and infinity


def read_label_text(label_file: Path) -> str:
    """Reads a text file of labels, in UTF-8 with or without a byte order mark.

    Raises:
        InputError: no such file, or not text.
    """
    try:
        return label_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError(f"{label_file}: cannot read labels ({reason})") from None


def is_headed(lines: list[str]) -> bool:
    """Tells whether images are named by headings `# path`, as in all formats but the official."""
    first = next((line for line in lines if line.strip()), "")
    return first.startswith("#")


@dataclass(frozen=True)
class Row:
    """The line of a face."""

    line: int  # from 1
    columns: list[float]


@dataclass(frozen=True)
class Entry:
    """An image and its faces."""

    image: str
    line: int  # from 1
    rows: list[Row]


def parse_headed(label_file: Path, lines: list[str]) -> list[Entry]:
    """Parses lines in which headings `# path` name images.

    Raises:
        InputError: a line that belongs to neither format; names file and line.
    """
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            entries.append(Entry(_image_path(label_file, number, line[1:]), number, []))
        elif line.strip():
            allowed = (BOX_COLUMNS, LANDMARK_COLUMNS)
            entries[-1].rows.append(_row(label_file, number, line, allowed))
    return entries


def parse_official(label_file: Path, lines: list[str]) -> list[Entry]:
    """Parses lines in the official format: a path, a count, and so many faces.

    Raises:
        InputError: a line that does not belong to it; names file and line.
    """
    entries: list[Entry] = []
    position = 0
    while position < len(lines):
        if not lines[position].strip():
            position += 1
            continue
        image = _image_path(label_file, position + 1, lines[position])
        count = _count(label_file, position + 2, lines[position + 1 : position + 2])
        # An image without a face still has one line, of zeros.
        rows = lines[position + 2 : position + 2 + max(count, 1)]
        if len(rows) < count:
            raise InputError(f"{label_file}:{len(lines)}: ends before {count} faces were listed")
        parsed = [
            _row(label_file, position + 3 + i, row, (OFFICIAL_COLUMNS,))
            for i, row in enumerate(rows)
        ]
        entries.append(Entry(image, position + 1, parsed[:count]))
        position += 2 + max(count, 1)
    return entries


def _image_path(label_file: Path, number: int, text: str) -> str:
    path = text.strip()
    if not path or _numbers(path):
        raise InputError(f"{label_file}:{number}: expected the path of an image, found {text!r}")
    return path


def _count(label_file: Path, number: int, line: list[str]) -> int:
    text = line[0].strip() if line else ""
    if not (text.isdecimal() and text.isascii() and len(text) < 7):
        raise InputError(f"{label_file}:{number}: expected the number of faces, found {text!r:.60}")
    return int(text)


def _row(label_file: Path, number: int, line: str, allowed: tuple[int, ...]) -> Row:
    row = _numbers(line)
    if len(row) not in allowed or not all(abs(number) < MAX_COORDINATE for number in row):
        columns = " or ".join(map(str, allowed))
        raise InputError(
            f"{label_file}:{number}: expected {columns} finite numbers, found {line.strip()!r:.80}"
        )
    return Row(number, row)


def _numbers(line: str) -> list[float]:
    """Returns the numbers of a line; none if it has anything else."""
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []
