"""Parses label files of WIDER FACE into records: arrays of faces, images in order.

Three formats are told apart by their content. The 20 columns are those that biubug6 reads
(biubug6/Pytorch_Retinaface, data/wider_face.py), the official ones those of the data set's readme:

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

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.files import read_text
from retinaface_tf.data.label_lines import (
    BOX_COLUMNS,
    LANDMARK_COLUMNS,
    Entry,
    is_headed,
    parse_headed,
    parse_official,
)
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError

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
        keep_empty: keeps images without a face, which are otherwise dropped and counted as well.
        keep_flat: keeps faces without area, for those who want to see them.

    Raises:
        InputError: the file is missing, or a line is in none of the three formats.
    """
    lines = read_text(label_file).splitlines()
    parse = parse_headed if is_headed(lines) else parse_official
    entries = parse(label_file, lines)
    if not entries:
        raise InputError(f"{label_file}: names no image; expected lines such as `# event/a.jpg`")
    return _assemble(label_file, entries, keep_empty, keep_flat)


def read_attributes(label_file: Path) -> dict[str, NDArray[np.int64]]:
    """Reads the attributes of faces from the official file.

    Returns:
        By image, `event/image` without extension, int64 [G, 6], columns as in ATTRIBUTES, for every
        listed face, including those without area. Empty if the file has another format.

    Raises:
        InputError: the file is missing, or does not keep to the format that it begins in.
    """
    lines = read_text(label_file).splitlines()
    if is_headed(lines):
        return {}
    return {
        str(Path(entry.image).with_suffix("")): np.array(
            [row.columns[BOX_COLUMNS:] for row in entry.rows], np.int64
        ).reshape(-1, len(ATTRIBUTES))
        for entry in parse_official(label_file, lines)
    }


def _assemble(label_file: Path, entries: list[Entry], keep_empty: bool, keep_flat: bool) -> Records:
    faces = [[row for row in entry.rows if keep_flat or row.has_area] for entry in entries]
    counts = np.array([len(rows) for rows in faces])
    kept = np.flatnonzero((counts > 0) | keep_empty)
    listed = sum(len(entry.rows) for entry in entries)
    _warn(label_file, listed - counts.sum(), "faces without width or height")
    _warn(label_file, len(entries) - len(kept), "images without faces")
    rows = [row for i in kept for row in faces[i]]
    boxes = np.array([row.columns[:4] for row in rows], np.float32).reshape(-1, 4)
    landmarks, has_landmarks = _landmarks([row.columns for row in rows])
    return Records(
        label_file=label_file,
        images=np.array([entries[i].image for i in kept], np.str_),
        lines=np.array([entries[i].line for i in kept], np.int64),
        splits=np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64),
        face_lines=np.array([row.line for row in rows], np.int64),
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        landmarks=landmarks,
        has_landmarks=has_landmarks,
    )


def _landmarks(rows: list[list[float]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    nothing = [NO_LANDMARKS] * 15
    triples = np.array(
        [row[4:19] if len(row) == LANDMARK_COLUMNS else nothing for row in rows], np.float32
    ).reshape(-1, 5, 3)
    # Decided by the flags: a real landmark may lie left of the image, at a negative coordinate.
    has_landmarks = (triples[..., 2] != NO_LANDMARKS).all(axis=1)
    return np.where(has_landmarks[:, None, None], triples[..., :2], 0), has_landmarks


def _warn(label_file: Path, dropped: int, what: str) -> None:
    if dropped:
        logging.getLogger(__name__).warning("%s: dropped %d %s", label_file, dropped, what)
