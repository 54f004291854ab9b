"""Inspects the pixels of all images of a data set.

Each image is decoded in full, as decoding a JPEG at reduced size may not reach the place where it
is broken.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from retinaface_tf.data.decode import decode_fully
from retinaface_tf.data.exif import TRANSPOSED, exif_orientation

# Grey pixels whose neighbours a fingerprint compares: 16 x 16 comparisons, 256 bits.
ROWS, COLUMNS = 16, 17


@dataclass(frozen=True)
class ImageFacts:
    """Holds facts of images, which are meaningless for unreadable images."""

    readable: NDArray[np.bool_]  # [I]
    sizes: NDArray[np.int64]  # [I, 2], width and height, upright
    orientations: NDArray[np.int64]  # [I], EXIF's 1..8
    fingerprints: NDArray[np.uint64]  # [I, 4], alike for images that look alike

    @property
    def stored_sizes(self) -> NDArray[np.int64]:
        """Returns width and height before images are turned upright, [I, 2]."""
        turned = self.orientations >= TRANSPOSED
        return np.where(turned[:, None], self.sizes[:, ::-1], self.sizes)


def inspect_images(paths: Sequence[str], name: str) -> ImageFacts:
    """Decodes images on all cores, with a progress bar named `name` on a terminal."""
    facts = ImageFacts(
        readable=np.zeros(len(paths), np.bool_),
        sizes=np.zeros((len(paths), 2), np.int64),
        orientations=np.ones(len(paths), np.int64),
        fingerprints=np.zeros((len(paths), 4), np.uint64),
    )
    inspected = (
        tf.data.Dataset.from_tensor_slices(tf.constant(paths, tf.string))
        .enumerate()
        .map(_inspect, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
        .ignore_errors(log_warning=False)
    )
    quiet = not sys.stderr.isatty()
    for number, size, orientation, grey in tqdm(
        inspected, desc=name, total=len(paths), unit="image", disable=quiet
    ):
        i = int(number)
        facts.readable[i] = True
        facts.sizes[i], facts.orientations[i] = size, orientation
        facts.fingerprints[i] = fingerprint(grey.numpy())
    return facts


@tf.autograph.experimental.do_not_convert
def _inspect(number: tf.Tensor, path: tf.Tensor) -> tuple[tf.Tensor, ...]:
    data = tf.io.read_file(path)
    image = decode_fully(data)
    orientation = tf.cond(tf.io.is_jpeg(data), lambda: exif_orientation(data), lambda: 1)
    grey = tf.reduce_mean(tf.image.resize(image, [ROWS, COLUMNS], method="area"), axis=2)
    return number, tf.shape(image)[1::-1], orientation, grey


def fingerprint(grey: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Returns the difference hash (dHash) of grey pixels [16, 17].

    Each of the 256 bits, uint64 [4], tells whether a pixel is darker than the next one. Libraries
    with this hash use another decoder (imagehash: Pillow) or are in no headless wheel
    (cv2.img_hash).
    """
    return np.packbits(grey[:, 1:] > grey[:, :-1]).view(np.uint64)


def is_flat(fingerprints: NDArray[np.uint64], max_bits: int) -> NDArray[np.bool_]:
    """Tells which fingerprints [N, 4] have at most `max_bits` bits set: too few to compare."""
    return np.bitwise_count(fingerprints).sum(axis=1) <= max_bits


def find_alike(
    first: NDArray[np.uint64], second: NDArray[np.uint64], max_bits: int
) -> list[tuple[int, int]]:
    """Finds pairs of fingerprints [N, 4] and [M, 4] that differ in at most `max_bits` bits.

    Returns:
        The rows of the pairs in `first` and in `second`.
    """
    pairs = []
    for i, one in enumerate(first):
        bits = np.bitwise_count(second ^ one).sum(axis=1)
        pairs += [(i, int(j)) for j in np.flatnonzero(bits <= max_bits)]
    return pairs
