"""Label files of WIDER FACE into records: arrays of faces, images in order (REFERENCE 3.1).

Three formats are told apart by themselves:

    # event/image.jpg                  RetinaFace's label.txt: x y w h, five times x y and a flag
    x y w h  lx ly flag ... quality    (0 visible, 1 occluded, -1 no landmarks), a quality
    # event/image.jpg                  val/label.txt: boxes only
    x y w h
    event/image.jpg                    the official wider_face_*_bbx_gt.txt: path, count,
    1                                  then boxes with six attributes
    x y w h blur expression illumination invalid occlusion pose
"""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError

BOX_COLUMNS, OFFICIAL_COLUMNS, LANDMARK_COLUMNS = 4, 10, 20
_FAR = 1e6  # pixels; also keeps out NaN and infinity
NO_LANDMARKS = -1.0  # the flag in RetinaFace's file
# Columns after the box in the official file, and what their numbers from 0 mean.
ATTRIBUTES = {
    "blur": ("clear", "normal", "heavy"),
    "expression": ("typical", "exaggerated"),
    "illumination": ("normal", "extreme"),
    "invalid": ("valid", "invalid"),
    "occlusion": ("none", "partial", "heavy"),
    "pose": ("typical", "atypical"),
}


def read_records(label_file: Path, *, keep_empty: bool = True, keep_flat: bool = False) -> Records:
    """Parses a label file; faces without area are dropped and counted in one warning.

    Args:
        label_file: in any of the three formats.
        keep_empty: keep images without a face; otherwise they are dropped and counted as well.
        keep_flat: keep faces without area, for who wants to see them.

    Raises:
        InputError: no such file, or a line that is none of the three formats.
    """
    lines = _read_lines(label_file)
    parse = _parse_headed if _is_headed(lines) else _parse_official
    images, numbers, faces = parse(label_file, lines)
    if not images:
        raise InputError(f"{label_file}: names no image; expected lines such as `# event/a.jpg`")
    return _assemble(label_file, images, numbers, faces, keep_empty, keep_flat)


def read_attributes(label_file: Path) -> dict[str, NDArray[np.int64]]:
    """The attributes of the official file by image, `event/image` without extension.

    Returns:
        Of each image [G, 6], columns as in ATTRIBUTES, for every face that is listed, also those
        without area; nothing where the file has another format.

    Raises:
        InputError: no such file, or not of the format that it begins in.
    """
    lines = _read_lines(label_file)
    if _is_headed(lines):
        return {}
    images, _, faces = _parse_official(label_file, lines)
    return {
        str(Path(image).with_suffix("")): np.array(
            [row.columns[BOX_COLUMNS:] for row in rows], np.int64
        ).reshape(-1, OFFICIAL_COLUMNS - BOX_COLUMNS)
        for image, rows in zip(images, faces, strict=True)
    }


def _read_lines(label_file: Path) -> list[str]:
    try:
        return label_file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError(f"{label_file}: cannot read labels ({reason})") from None


def _is_headed(lines: list[str]) -> bool:
    first = next((line for line in lines if line.strip()), "")
    return first.startswith("#")


class _Row(NamedTuple):
    line: int  # from 1
    columns: list[float]


# What parsing yields: paths, their lines, and per image a list of rows.
_Parsed = tuple[list[str], list[int], list[list[_Row]]]


def _parse_headed(label_file: Path, lines: list[str]) -> _Parsed:
    images: list[str] = []
    numbers: list[int] = []
    faces: list[list[_Row]] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            images.append(_image_path(label_file, number, line[1:]))
            numbers.append(number)
            faces.append([])
        elif line.strip():
            allowed = (BOX_COLUMNS, LANDMARK_COLUMNS)
            faces[-1].append(_row(label_file, number, line, allowed))
    return images, numbers, faces


def _parse_official(label_file: Path, lines: list[str]) -> _Parsed:
    images: list[str] = []
    numbers: list[int] = []
    faces: list[list[_Row]] = []
    position = 0
    while position < len(lines):
        if not lines[position].strip():
            position += 1
            continue
        images.append(_image_path(label_file, position + 1, lines[position]))
        numbers.append(position + 1)
        count = _count(label_file, position + 2, lines[position + 1 : position + 2])
        # An image without a face still has one line, of zeros.
        rows = lines[position + 2 : position + 2 + max(count, 1)]
        if len(rows) < count:
            raise InputError(f"{label_file}:{len(lines)}: ends before {count} faces were listed")
        parsed = [
            _row(label_file, position + 3 + i, row, (OFFICIAL_COLUMNS,))
            for i, row in enumerate(rows)
        ]
        faces.append(parsed[:count])
        position += 2 + max(count, 1)
    return images, numbers, faces


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


def _row(label_file: Path, number: int, line: str, allowed: tuple[int, ...]) -> _Row:
    row = _numbers(line)
    if len(row) not in allowed or not all(abs(number) < _FAR for number in row):
        columns = " or ".join(map(str, allowed))
        raise InputError(
            f"{label_file}:{number}: expected {columns} finite numbers, found {line.strip()!r:.80}"
        )
    return _Row(number, row)


def _numbers(line: str) -> list[float]:
    """The numbers of a line; none if it has anything else."""
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []


def _assemble(
    label_file: Path,
    images: list[str],
    numbers: list[int],
    faces: list[list[_Row]],
    keep_empty: bool,
    keep_flat: bool,
) -> Records:
    listed = [[row for row in rows if keep_flat or _has_area(row)] for rows in faces]
    counts = np.array([len(rows) for rows in listed])
    kept = np.flatnonzero((counts > 0) | keep_empty)
    _warn(label_file, sum(map(len, faces)) - counts.sum(), "faces without width or height")
    _warn(label_file, len(images) - len(kept), "images without faces")
    rows = [row for i in kept for row in listed[i]]
    boxes = np.array([row.columns[:4] for row in rows], np.float32).reshape(-1, 4)
    landmarks, has_landmarks = _landmarks([row.columns for row in rows])
    return Records(
        label_file=label_file,
        images=np.array([images[i] for i in kept], np.str_),
        lines=np.array([numbers[i] for i in kept], np.int64),
        splits=np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64),
        face_lines=np.array([row.line for row in rows], np.int64),
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        landmarks=landmarks,
        has_landmarks=has_landmarks,
    )


def _has_area(row: _Row) -> bool:
    return row.columns[2] > 0 and row.columns[3] > 0


def _landmarks(rows: list[list[float]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    nothing = [NO_LANDMARKS] * 15
    triples = np.array(
        [row[4:19] if len(row) == LANDMARK_COLUMNS else nothing for row in rows], np.float32
    ).reshape(-1, 5, 3)
    # By the flags: a real landmark may lie left of the image, at a negative coordinate.
    has_landmarks = (triples[..., 2] != NO_LANDMARKS).all(axis=1)
    return np.where(has_landmarks[:, None, None], triples[..., :2], 0), has_landmarks


def _warn(label_file: Path, dropped: int, what: str) -> None:
    if dropped:
        logging.getLogger(__name__).warning("%s: dropped %d %s", label_file, dropped, what)
