"""Writes labelled images as a data set in the project's layout.

Besides `label.txt`, the data set gets `ground_truth/*.mat`, so that `eval.py` can measure AP on it.
As other formats do not say how hard a face is, its height decides: at least 50 pixels for easy, 30
for medium and 10 for hard. Images are hard links if possible, which take no space and outlive the
originals; otherwise they are copies.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from retinaface_tf.data.convert.labelled import LabelledImage
from retinaface_tf.data.layout import (
    MIN_HEIGHTS,
    Truth,
    box_columns,
    landmark_columns,
    new_folder,
    write_ground_truth,
)
from retinaface_tf.errors import InputError

NO_EVENT = "all"  # event of images that are in no folder
FULL_QUALITY = 100  # height in pixels from which a face's quality is 1


def split_images(
    train: list[LabelledImage], val: list[LabelledImage], val_every: int
) -> dict[str, list[LabelledImage]]:
    """Splits images into train and val; without val, every `val_every`-th of train is for val.

    Returns:
        `train` and `val`, as far as they have images.

    Raises:
        InputError: there is no image.
    """
    if train and not val:
        val = train[val_every - 1 :: val_every]
        train = [image for i, image in enumerate(train, start=1) if i % val_every]
    splits = {name: images for name, images in (("train", train), ("val", val)) if images}
    if not splits:
        raise InputError("no images to convert, expected --train or --val with some")
    return splits


def write_dataset(root: Path, splits: dict[str, list[LabelledImage]]) -> None:
    """Writes images, labels and, for val, the ground truth.

    Raises:
        InputError: `root` exists, or two images would get the same name.
    """
    with new_folder(root) as folder:
        for name, images in splits.items():
            places = _places(images)
            _write_split(folder / name, places)
            if name == "val":
                truth = [_truth(place, image) for place, image in places.items()]
                write_ground_truth(folder / "ground_truth", truth)


def _places(images: Sequence[LabelledImage]) -> dict[PurePosixPath, LabelledImage]:
    """Returns images by `event/name.jpg`, grouped by event."""
    places: dict[PurePosixPath, LabelledImage] = {}
    taken: dict[PurePosixPath, Path] = {}
    for image in images:
        *folders, name = PurePosixPath(image.name).parts
        # Label files strip spaces from the end of names.
        place = PurePosixPath("_".join(folders).strip() or NO_EVENT, name.strip())
        # Detections and ground truth name images without their extension.
        other = taken.setdefault(place.with_suffix(""), image.file)
        if other != image.file or place in places:
            raise InputError(f"{image.file} and {other}: both would be {place.with_suffix('')}")
        places[place] = image
    return dict(sorted(places.items(), key=lambda item: item[0].parent))


def _write_split(folder: Path, places: dict[PurePosixPath, LabelledImage]) -> None:
    lines = []
    for place, image in places.items():
        target = folder / "images" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(image.file.resolve(), target)
        lines.append(f"# {place}")
        for face in image.faces:
            quality = min(max(face.box[3], 0) / FULL_QUALITY, 1)
            points = landmark_columns(face.landmarks, face.occluded, quality)
            lines.append(f"{box_columns(face.box)} {points}")
    (folder / "label.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, target)


def _truth(place: PurePosixPath, image: LabelledImage) -> Truth:
    boxes = np.array([face.box for face in image.faces], np.float64).reshape(-1, 4)
    countable = np.array([face.counted for face in image.faces], np.bool_)
    counted = {name: countable & (boxes[:, 3] >= least) for name, least in MIN_HEIGHTS.items()}
    return Truth(str(place.parent), place.stem, boxes, counted)
