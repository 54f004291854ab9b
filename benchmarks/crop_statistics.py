r"""Tests whether our crops, faces and colours are distributed like those of biubug6's loader.

    python benchmarks/crop_statistics.py --cfg configs/mobilenet025.yaml --set data.root=... \
        --biubug6 CHECKOUT --out runs/crops

Both sides augment the same images, equally often. For each draw the scale of the crop is compared,
where it begins, how many faces it keeps, and how large these are for the network; and the mean and
spread of its pixels after colour jitter. The exit code is 2 if a p-value is below LEAST; as both
draw from the same images, p leans towards 1. `sheet.png` shows samples of both, ours above theirs.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import peers
from absl import flags
from numpy.typing import NDArray
from scipy import stats

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.errors import DOES_NOT_HOLD

LEAST = 0.001
DRAWS = 20
SHOWN, SHOWN_SIDE = 10, 180

_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
_IMAGES = flags.DEFINE_integer("images", 200, "Training images, evenly spread.")
_OUT = flags.DEFINE_string("out", "runs/crops", "Folder for the picture.")
flags.mark_flags_as_required(["biubug6"])


class Image(NamedTuple):
    pixels: NDArray[np.uint8]  # [H, W, 3], red first
    boxes: NDArray[np.float32]  # [G, 4]


class Sample(NamedTuple):
    left: float  # where the crop begins
    boxes: NDArray[np.float32]  # of the faces kept, in pixels of the crop
    pixels: NDArray[Any]  # [h, w, 3], red first, with jittered colours


# Makes a sample from an image and the number of the draw.
Augment = Callable[[Image, int], Sample]
FIGURES = (
    "scale",  # of the crop, in short sides of the image
    "left",  # where it begins, in widths of the image
    "faces kept",
    "size of faces",  # mean of log2 of their pixels for the network
    "mean of pixels",
    "spread of pixels",
)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config()
    theirs = their_augmentation(config)
    cli.start_tensorflow()
    images = read_images(config)
    figures, rows = [], []
    for augment in (our_augmentation(), theirs):
        samples = [(augment(image, draw), image) for draw in range(DRAWS) for image in images]
        figures.append(np.array([describe(*pair, config.data.image_size) for pair in samples]))
        rows.append(np.hstack([picture(sample) for sample, _ in samples[:SHOWN]]))
    out = Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / "sheet.png"), np.vstack(rows)[..., ::-1])
    print(f"{DRAWS} draws of each of {len(images)} images; pictures in {out / 'sheet.png'}")
    worst = min(compare(name, *(side[:, i] for side in figures)) for i, name in enumerate(FIGURES))
    return 0 if worst >= LEAST else DOES_NOT_HOLD


def read_images(config: Config) -> list[Image]:
    from retinaface_tf.data.dataset import training_set

    records = training_set(config)
    every = max(1, len(records) // _IMAGES.value)
    return [
        Image(
            read_image(records.path(i)),
            records.boxes[records.splits[i] : records.splits[i + 1]],
        )
        for i in range(0, len(records), every)[: _IMAGES.value]
    ]


def our_augmentation() -> Augment:
    import tensorflow as tf

    from retinaface_tf.data.colour import jitter_colour
    from retinaface_tf.data.crops import BIUBUG6_SCALES, choose_window, crop_faces
    from retinaface_tf.structures import Faces

    @tf.function(reduce_retracing=True)
    def augment(pixels, boxes, seed):
        count = tf.shape(boxes)[0]
        no = tf.zeros([count], tf.bool)
        faces = Faces(boxes, tf.zeros([count, 5, 2]), no, ~no)
        window = choose_window(tf.shape(pixels)[:2], faces, seed, BIUBUG6_SCALES)
        x, y, width, height = tf.unstack(window)
        crop = tf.cast(pixels[y : y + height, x : x + width], tf.float32)
        return x, crop_faces(faces, window).boxes, jitter_colour(crop, seed + 1)

    def sample(image: Image, draw: int) -> Sample:
        seed = tf.constant([draw, len(image.boxes) + image.pixels.size], tf.int64)
        answer = augment(tf.constant(image.pixels), tf.constant(image.boxes), seed)
        return Sample(*(part.numpy() for part in answer))

    return sample


def their_augmentation(config: Config) -> Augment:
    crop, distort = peers.biubug6_augmentation(_BIUBUG6.value)
    random.seed(1)

    def sample(image: Image, draw: int) -> Sample:
        # It does not say where it cropped, so a channel of column numbers shows it.
        columns = np.broadcast_to(np.arange(image.pixels.shape[1]), image.pixels.shape[:2])
        marked = np.dstack([image.pixels[..., ::-1], columns])
        labels, landmarks = np.ones(len(image.boxes)), np.zeros([len(image.boxes), 10])
        pixels, boxes, *_ = crop(marked, image.boxes, labels, landmarks, config.data.image_size)
        changed = distort(np.ascontiguousarray(pixels[..., :3].astype(np.uint8)))
        return Sample(float(pixels[0, 0, 3]), boxes, changed[..., ::-1])

    return sample


def describe(sample: Sample, image: Image, network_side: int) -> tuple[float, ...]:
    """Returns the FIGURES of a sample."""
    height, width = image.pixels.shape[:2]
    side = max(sample.pixels.shape[:2])
    extents = (sample.boxes[:, 2:] - sample.boxes[:, :2]) * network_side / side
    return (
        side / min(height, width),
        sample.left / width,
        len(sample.boxes),
        float(np.log2(np.maximum(extents, 0.1)).mean()),
        float(np.mean(sample.pixels)),
        float(np.std(sample.pixels)),
    )


def compare(name: str, ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Prints means and quartiles of both; returns the p-value of a Kolmogorov-Smirnov test."""
    p = float(stats.ks_2samp(ours, theirs).pvalue)
    ours_quartiles, their_quartiles = (
        [f"{q:.2f}" for q in np.quantile(side, [0.25, 0.5, 0.75])] for side in (ours, theirs)
    )
    print(
        f"{name:<18} ours {np.mean(ours):7.3f} ({' '.join(ours_quartiles)})  "
        f"theirs {np.mean(theirs):7.3f} ({' '.join(their_quartiles)})  p {p:.3f}"
    )
    return p


def picture(sample: Sample) -> NDArray[np.uint8]:
    """Draws a small picture of a sample with its boxes."""
    pixels = np.clip(np.round(sample.pixels), 0, 255).astype(np.uint8).copy()
    thickness = max(1, max(pixels.shape) // SHOWN_SIDE)
    for x1, y1, x2, y2 in sample.boxes.round().astype(int).tolist():
        cv2.rectangle(pixels, (x1, y1), (x2, y2), (0, 255, 0), thickness)
    return cv2.resize(pixels, (SHOWN_SIDE, SHOWN_SIDE), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    cli.run(main)
