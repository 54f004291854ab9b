"""Converts labels of other formats to the project's layout.

    python -m retinaface_tf.data.convert --from coco|yolo|voc|widerface --train X [--val Y] --to DIR

X and Y are a JSON file (coco), a folder of images (yolo) or of XML files (voc), or a label file
(widerface). Without Y, every tenth image of X is for validation. Besides `label.txt`, DIR gets
`ground_truth/*.mat`, so that `eval.py` can measure AP on it. As these formats do not say how hard a
face is, its height decides: at least 50 pixels for easy, 30 for medium and 10 for hard.

If DIR is on the same disk, its images are hard links, which take no space and outlive the
originals; otherwise they are copies.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.data.convert.dataset import split_images, write_dataset
from retinaface_tf.data.convert.labelled import LabelledImage
from retinaface_tf.data.convert.readers import READERS, read_labels
from retinaface_tf.data.layout import MIN_HEIGHTS
from retinaface_tf.printing import say

NEXT_CONFIG = "mobilenet025"  # for the next command: the smaller network suits people's own data

_FROM = flags.DEFINE_enum("from", None, list(READERS), "Format of the labels.")
_TRAIN = flags.DEFINE_string("train", None, "Labels to train on.")
_VAL = flags.DEFINE_string("val", None, "Labels to validate on.")
_TRAIN_IMAGES = flags.DEFINE_string("train_images", None, "Folder of the images of --train.")
_VAL_IMAGES = flags.DEFINE_string("val_images", None, "Folder of the images of --val.")
_VAL_EVERY = flags.DEFINE_integer(
    "val_every", 10, "Without --val, every Nth image of --train is for validation.", 2
)
_CATEGORY = flags.DEFINE_string(
    "category", "face", "Category of faces; for yolo a number, 0 without one."
)
_TO = flags.DEFINE_string("to", None, "Folder to create.")
flags.mark_flags_as_required(["from", "to"])


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    splits = split_images(
        _read(_TRAIN.value, _TRAIN_IMAGES.value),
        _read(_VAL.value, _VAL_IMAGES.value),
        _VAL_EVERY.value,
    )
    root = Path(str(_TO.value))
    write_dataset(root, splits)
    for name, images in splits.items():
        say(f"{name}: {_counts(images)}")
    if "val" in splits:
        heights = [f"{name} from {height}" for name, height in MIN_HEIGHTS.items()]
        say(f"ground truth by height in pixels: {', '.join(heights)}")
    else:
        say(f"val: no images, as train has fewer than {_VAL_EVERY.value}; see --val, --val_every")
    say(f"written to {root}; next: {_next_command(root)}")
    return 0


def _next_command(root: Path) -> str:
    place = shlex.quote(str(root))
    return f"python -m retinaface_tf.doctor data {place} --cfg {NEXT_CONFIG}"


def _read(labels: str | None, images: str | None) -> list[LabelledImage]:
    if labels is None:
        return []
    folder = None if images is None else Path(images)
    return read_labels(str(_FROM.value), Path(labels), folder, _CATEGORY.value)


def _counts(images: Sequence[LabelledImage]) -> str:
    faces = [face for image in images for face in image.faces]
    landmarks = sum(face.landmarks is not None for face in faces)
    return f"{len(images)} images, {len(faces)} faces, {landmarks} with landmarks"


if __name__ == "__main__":
    cli.run(main)
