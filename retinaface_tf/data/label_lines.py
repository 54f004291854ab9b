"""Parses the lines of label files into images and rows of numbers.

`data.widerface` describes the formats, and makes records from the result.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from retinaface_tf.data.files import IMAGE_SUFFIXES
from retinaface_tf.data.names import relative_name
from retinaface_tf.errors import InputError

BOX_COLUMNS, OFFICIAL_COLUMNS, LANDMARK_COLUMNS = 4, 10, 20
MAX_COORDINATE = 1e6  # pixels; also keeps out NaN and infinity
# InsightFace's labelv2.txt has width and height after the name, and corners in its rows.
_LABELV2 = re.compile(rf"({'|'.join(map(re.escape, IMAGE_SUFFIXES))})\s+\d+\s+\d+$", re.IGNORECASE)


def is_headed(lines: list[str]) -> bool:
    """Tells whether headings `# path` name images, as in all formats but the official one."""
    first = next((line for line in lines if line.strip()), "")
    return first.startswith("#")


def has_area(width: float, height: float) -> bool:
    """Tells whether a box has an area; training, ground truth and converters drop all others."""
    return width > 0 and height > 0


@dataclass(frozen=True)
class Row:
    """Holds the line of a face."""

    line: int  # from 1
    columns: list[float]

    @property
    def has_area(self) -> bool:
        """Tells whether the box has an area, as faces must."""
        return has_area(*self.columns[2:4])


@dataclass(frozen=True)
class Entry:
    """Holds an image and its faces."""

    image: str
    line: int  # from 1
    rows: list[Row]


def parse_headed(label_file: Path, lines: list[str]) -> list[Entry]:
    """Parses lines in which headings `# path` name images.

    Raises:
        InputError: a line belongs to neither format; the message names file and line.
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
    """Parses lines in the official format: a path, a count, and that many faces.

    Raises:
        InputError: a line does not belong to the format; the message names file and line.
    """
    entries: list[Entry] = []
    position = 0
    while position < len(lines):
        if not lines[position].strip():
            position += 1
            continue
        image = _image_path(label_file, position + 1, lines[position])
        count = _count(label_file, position + 2, lines[position + 1 : position + 2])
        start = position + 2
        end = start + (count or _zero_lines(label_file, start, lines))
        if end > len(lines):
            raise InputError(f"{label_file}:{len(lines)}: ends before {count} faces were listed")
        rows = [_row(label_file, i + 1, lines[i], (OFFICIAL_COLUMNS,)) for i in range(start, end)]
        entries.append(Entry(image, position + 1, rows[:count]))
        position = end
    return entries


def _zero_lines(label_file: Path, position: int, lines: list[str]) -> int:
    """Counts the lines of zeros after a count of 0: one in the official file, none in others."""
    if not _numbers(" ".join(lines[position : position + 1])):
        return 0
    if _row(label_file, position + 1, lines[position], (OFFICIAL_COLUMNS,)).has_area:
        raise InputError(f"{label_file}:{position + 1}: expected no face after a count of 0")
    return 1


def _image_path(label_file: Path, number: int, text: str) -> str:
    path, where = text.strip(), f"{label_file}:{number}"
    if not path or _numbers(path):
        raise InputError(f"{where}: expected the path of an image, found {text!r:.80}")
    if _LABELV2.search(path):
        expected = "expected RetinaFace's label.txt, with boxes x y w h"
        raise InputError(f"{where}: {expected}, found a heading of InsightFace's labelv2.txt")
    return relative_name(path, where)


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
    """Returns the numbers of a line; none if the line has anything else."""
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []
