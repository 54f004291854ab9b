"""Reads YOLO text files, one for each image, with all numbers in fractions of the image.

images/train/a.jpg    labels/train/a.txt    or a.txt beside a.jpg; without one, no faces
class cx cy w h                               boxes
class cx cy w h  x y (five times)             YOLO-face, -1 where there are no landmarks
class cx cy w h  x y v (five times)           the same with 0 not labelled, 1 occluded, 2 visible
"""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.convert.images import check_image, leads_out
from retinaface_tf.data.convert.labelled import (
    LabelledFace,
    LabelledImage,
    make_face,
    unknown_category,
)
from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files, read_text
from retinaface_tf.data.names import is_below, relative_name
from retinaface_tf.errors import InputError

BOX, WITH_POINTS, WITH_VISIBILITY = 5, 15, 20  # columns
UNLABELLED, OCCLUDED = 0, 1
MAX_FRACTION = 2  # allows faces that reach beyond the image; pixels would be more

log = logging.getLogger(__name__)


def read_yolo(folder: Path, images: Path | None, category: str) -> list[LabelledImage]:
    """Reads a folder of images, or `folder` of labels for the images in `images`.

    `category` is a number, or anything else for class 0.

    Raises:
        InputError: there are no images, the size of an image cannot be read, or a line is not in
            one of the formats.
    """
    wanted = int(category) if category.isdecimal() else 0
    root = images or folder
    classes: set[int] = set()
    labelled = []
    for name, file in _find_images(root).items():
        labels = folder / Path(name).with_suffix(".txt") if images else _labels_of(file)
        rows = _read_rows(labels) if labels.exists() else []
        classes |= {int(row[0]) for _, row in rows}
        ours = [(line, row) for line, row in rows if row[0] == wanted]
        size = _size(file) if ours else np.ones(2)
        faces = [_face(row, size, f"{labels}:{line}") for line, row in ours]
        labelled.append(LabelledImage(file, name, faces))
    if wanted not in classes:
        raise unknown_category(folder, str(wanted), classes)
    return labelled


def _find_images(root: Path) -> dict[str, Path]:
    """Finds images by their names below a folder.

    Linked folders may lead out of the folder, as the user put them there; linked images may not.

    Raises:
        InputError: there are no images, or an image is a link that leads out, is not an image
            after all, or has a name that is not text.
    """
    files = find_files(root, IMAGE_SUFFIXES, expected=(".txt",))
    if not files:
        raise InputError(f"{root}: no images there, expected {', '.join(IMAGE_SUFFIXES)}")
    outside = [file for file in files if not is_below(file, root)]
    for file in outside:
        if not is_below(file, file.parent):
            raise leads_out(file, root, str(root))
    if outside:
        log.warning("%s: linked folders lead to %d images outside it", root, len(outside))
    for file in files:
        check_image(file, str(root))
    return {relative_name(str(file.relative_to(root)), str(root)): file for file in files}


def _labels_of(image: Path) -> Path:
    """Returns the label file of an image: beside it, or in `labels` if its path has `images`."""
    beside = image.with_suffix(".txt")
    parts = list(beside.parts)
    if beside.exists() or "images" not in parts:
        return beside
    parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts)


def _read_rows(file: Path) -> list[tuple[int, list[float]]]:
    """Returns the lines of a label file by number, each with its columns."""
    lines = read_text(file).splitlines()
    return [(i, _row(file, i, line)) for i, line in enumerate(lines, start=1) if line.strip()]


def _row(file: Path, number: int, line: str) -> list[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        row = []
    if len(row) not in (BOX, WITH_POINTS, WITH_VISIBILITY) or not np.isfinite(row).all():
        expected = f"{BOX}, {WITH_POINTS} or {WITH_VISIBILITY} finite numbers"
        raise InputError(f"{file}:{number}: expected {expected}, found {line.strip()!r:.80}")
    if max(map(abs, row[1:])) > MAX_FRACTION:
        expected = "fractions of the image's width and height, not pixels"
        raise InputError(f"{file}:{number}: expected {expected}, found {line.strip()!r:.80}")
    return row


def _face(row: list[float], size: NDArray[np.float64], where: str) -> LabelledFace:
    """Makes a face of a row, in pixels of an image of width and height `size`."""
    centre, extent = np.array(row[1:3]), np.array(row[3:5])
    box = np.concatenate([(centre - extent / 2) * size, extent * size])
    points = np.array(row[5:]).reshape(5, -1) if len(row) > BOX else None
    if points is None or (points[:, :2] < 0).all():
        return make_face(box, where=where)
    visibility = points[:, 2] if len(row) == WITH_VISIBILITY else np.full(5, 2.0)
    if (visibility == UNLABELLED).any():
        return make_face(box, where=where)
    return make_face(box, points[:, :2] * size, visibility == OCCLUDED, where=where)


def _size(image: Path) -> NDArray[np.float64]:
    """Returns width and height of the upright image."""
    # TensorFlow reads sizes without decoding, but takes seconds to import: only this format waits.
    import tensorflow as tf

    from retinaface_tf.data.decode import read_size

    try:
        height, width = read_size(tf.io.read_file(str(image))).numpy()
    except tf.errors.OpError:
        raise InputError(f"{image}: not an image, so that its labels have no scale") from None
    return np.array([width, height], np.float64)
