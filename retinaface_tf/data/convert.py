"""Brings labels of others into the project's layout.

    python -m retinaface_tf.data.convert --from coco|yolo|voc|widerface --train X [--val Y] --to DIR

X and Y are what the format has: a JSON file (coco), a folder of images (yolo) or of XML files
(voc), a label file (widerface). Without Y, every tenth image of X is for validation. Besides
`label.txt` DIR gets `ground_truth/*.mat`, so that `eval.py` measures AP on it. A face counts from a
height of 50 (easy), 30 (medium) and 10 pixels (hard): nothing in these formats says how hard it is.

Images are hard links where DIR is on the same disk, which take no room and outlive the originals;
else copies.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from absl import flags

from retinaface_tf import cli
from retinaface_tf.data.layout import (
    LEAST_HEIGHTS,
    Truth,
    box_columns,
    landmark_columns,
    new_folder,
    write_ground_truth,
)
from retinaface_tf.data.sources.coco import read_coco
from retinaface_tf.data.sources.labelled import LabelledImage
from retinaface_tf.data.sources.voc import read_voc
from retinaface_tf.data.sources.widerface import read_widerface
from retinaface_tf.errors import InputError

NO_EVENT = "all"  # of images that lie in no folder
FULL_QUALITY = 100  # pixels of height from which a face's quality is 1

Reader = Callable[[Path, Path | None, str], list[LabelledImage]]

_FROM = flags.DEFINE_enum("from", None, ["coco", "yolo", "voc", "widerface"], "Whose labels.")
_TRAIN = flags.DEFINE_string("train", None, "Labels to train on.")
_VAL = flags.DEFINE_string("val", None, "Labels to validate on.")
_TRAIN_IMAGES = flags.DEFINE_string("train_images", None, "Folder of the images of --train.")
_VAL_IMAGES = flags.DEFINE_string("val_images", None, "Folder of the images of --val.")
_VAL_EVERY = flags.DEFINE_integer(
    "val_every", 10, "Without --val, each how manieth image of --train is for validation.", 2
)
_CATEGORY = flags.DEFINE_string("category", "face", "What is a face; yolo: a number, else class 0.")
_TO = flags.DEFINE_string("to", None, "Folder to make.")


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    halves = split(
        _read(_TRAIN.value, _TRAIN_IMAGES.value),
        _read(_VAL.value, _VAL_IMAGES.value),
        _VAL_EVERY.value,
    )
    root = Path(str(_TO.value))
    write_dataset(root, halves)
    for name, images in halves.items():
        print(f"{name}: {_counts(images)}")
    if "val" in halves:
        told = [f"{name} from {height}" for name, height in LEAST_HEIGHTS.items()]
        print(f"ground truth by height in pixels: {', '.join(told)}")
    print(f"written to {root}; next: python -m retinaface_tf.doctor data {root}")
    return 0


def _read(labels: str | None, images: str | None) -> list[LabelledImage]:
    if labels is None:
        return []
    folder = None if images is None else Path(images)
    return open_reader(str(_FROM.value))(Path(labels), folder, _CATEGORY.value)


def open_reader(kind: str) -> Reader:
    """A reader by the name of its format."""
    if kind == "yolo":
        cli.start_tensorflow()  # for the sizes of images
        from retinaface_tf.data.sources.yolo import read_yolo

        return read_yolo
    return {"coco": read_coco, "voc": read_voc, "widerface": read_widerface}[kind]


def split(
    train: list[LabelledImage], val: list[LabelledImage], val_every: int
) -> dict[str, list[LabelledImage]]:
    """Train and val, those that there are; of a train alone every so many-th image is for val.

    Raises:
        InputError: there is neither.
    """
    if train and not val:
        val = train[val_every - 1 :: val_every]
        train = [image for i, image in enumerate(train, start=1) if i % val_every]
    halves = {name: images for name, images in (("train", train), ("val", val)) if images}
    if not halves:
        raise InputError("no images to convert, expected --train or --val with some")
    return halves


def write_dataset(root: Path, halves: dict[str, list[LabelledImage]]) -> None:
    """Writes images, labels and, of val, the ground truth.

    Raises:
        InputError: `root` exists, an image is missing, or two would get one name.
    """
    with new_folder(root) as folder:
        for name, images in halves.items():
            places = _places(images)
            _write_half(folder / name, places)
            if name == "val":
                truth = [_truth(place, image) for place, image in places.items()]
                write_ground_truth(folder / "ground_truth", truth)


def _places(images: Sequence[LabelledImage]) -> dict[PurePosixPath, LabelledImage]:
    """Images by `event/name.jpg`, those of an event together."""
    places: dict[PurePosixPath, LabelledImage] = {}
    taken: dict[PurePosixPath, Path] = {}
    for image in images:
        if not image.file.is_file():
            mend = "--train_images and --val_images name their folders"
            raise InputError(f"{image.file}: no such image; {mend}")
        *folders, name = [
            part for part in PurePosixPath(image.name).parts if part not in ("/", "..")
        ]
        place = PurePosixPath("_".join(folders) or NO_EVENT, name)
        # Detections and ground truth know images without their extension.
        other = taken.setdefault(place.with_suffix(""), image.file)
        if other != image.file or place in places:
            raise InputError(f"{image.file} and {other}: both would be {place.with_suffix('')}")
        places[place] = image
    return dict(sorted(places.items(), key=lambda item: item[0].parent))


def _write_half(folder: Path, places: dict[PurePosixPath, LabelledImage]) -> None:
    lines = []
    for place, image in places.items():
        target = folder / "images" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(image.file.resolve(), target)
        lines.append(f"# {place}")
        for face in image.faces:
            quality = min(max(face.box[3], 0) / FULL_QUALITY, 1)
            points = landmark_columns(face.points, face.occluded, quality)
            lines.append(f"{box_columns(face.box)} {points}")
    (folder / "label.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def _truth(place: PurePosixPath, image: LabelledImage) -> Truth:
    boxes = np.array([face.box for face in image.faces], np.float64).reshape(-1, 4)
    at_fault = np.array([face.counted for face in image.faces], np.bool_)
    counted = {name: at_fault & (boxes[:, 3] >= least) for name, least in LEAST_HEIGHTS.items()}
    return Truth(str(place.parent), place.stem, boxes, counted)


def _counts(images: Sequence[LabelledImage]) -> str:
    faces = [face for image in images for face in image.faces]
    landmarks = sum(face.points is not None for face in faces)
    return f"{len(images)} images, {len(faces)} faces, {landmarks} with landmarks"


if __name__ == "__main__":
    flags.mark_flags_as_required(["from", "to"])
    cli.run(main)
