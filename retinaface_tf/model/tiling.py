"""Images too large for the network at once: seen in tiles, answered as if they were whole."""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.model.detector import Detector
from retinaface_tf.structures import Array, DetectionBatch

# The coarsest stride: tiles that begin at its multiples have the anchors of the whole image.
STRIDE = 32
# What a tile has to see around its core, so that each answer of the core is that of the whole
# image. Of the backbones ResNet-34 looks farthest: its last cell sees 899 pixels, 449 each way
# from the cell's first. Three 3x3 convolutions of a context module at stride 32 add 3 * 32 = 96,
# which makes 545. The finer levels look less far: 529 at stride 16, 521 at stride 8, where the
# merge adds one convolution, and the upsampling up to 16 and 24 pixels.
MARGIN = 576

Box = tuple[int, int, int, int]  # x1 y1 x2 y2 in pixels of the image, the far edges not included


class Tile(NamedTuple):
    """A part of an image."""

    window: Box  # what the network sees
    core: Box  # the part of it that this tile answers for


def plan_tiles(height: int, width: int, max_pixels: int) -> list[Tile]:
    """Cuts an image of `height` x `width` pixels into tiles.

    Cores partition the image; a window is its core and MARGIN on each side, as far as the image
    goes. Both begin at multiples of STRIDE. Windows have at most `max_pixels`, and of all grids of
    tiles that have, this is the one whose windows have fewest pixels together: an elongated
    image is cut across alone. `max_pixels` has to allow for a core of STRIDE x STRIDE.
    """
    rows, columns = _grid(height, width, max_pixels)
    return [
        Tile(_with_margin((x1, y1, x2, y2), height, width), (x1, y1, x2, y2))
        for y1, y2 in pairwise(_edges(height, rows))
        for x1, x2 in pairwise(_edges(width, columns))
    ]


def _with_margin(core: Box, height: int, width: int) -> Box:
    x1, y1, x2, y2 = core
    near = max(x1 - MARGIN, 0), max(y1 - MARGIN, 0)
    return *near, min(x2 + MARGIN, width), min(y2 + MARGIN, height)


def _grid(height: int, width: int, max_pixels: int) -> tuple[int, int]:
    """Rows and columns of the tiles that fit and see the fewest pixels."""
    (tall, down), (wide, across) = _windows(height), _windows(width)
    fits = np.outer(tall, wide) <= max_pixels
    pixels = np.where(fits, np.outer(down, across), np.inf)
    row, column = np.unravel_index(np.argmin(pixels), pixels.shape)
    return int(row) + 1, int(column) + 1


def _windows(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The longest window along an axis and the sum of all, for 1, 2, 3... tiles along it."""
    counts = np.arange(1, -(-length // STRIDE) + 1)
    longest = np.minimum(length, 2 * MARGIN + _pitch(length, counts))
    return longest, length + 2 * MARGIN * (counts - 1)


def _pitch(length: int, count: Any) -> Any:
    """Pixels from a core to the next, where `count` cores share an axis.

    The outer cores have a margin less, so they are longer by it: what is left is shared evenly.
    """
    return STRIDE * -((2 * MARGIN - length) // (STRIDE * count))


def _edges(length: int, count: int) -> list[int]:
    """Where the cores along an axis begin, and where the last ends."""
    if count == 1:
        return [0, length]
    pitch = _pitch(length, count)
    return [0, *range(MARGIN + pitch, length - MARGIN, pitch), length]


class TiledDetector:
    """A detector for images of any size: answers as `detector` would, had it the memory.

    What exceeds `detector.max_pixels` of the config is detected in tiles, and a batch that does
    image by image.
    """

    def __init__(self, detector: Detector):
        self.detector = detector

    def __call__(self, images: Array, scale: float | tf.Tensor = 1.0) -> DetectionBatch:
        """Detects faces; arguments and answer are those of Detector."""
        if self._fits(images):
            return self.detector(images, scale)
        return self.suppress(self.candidates(images, scale))

    def candidates(self, images: Array, scale: float | tf.Tensor = 1.0) -> DetectionBatch:
        """What is above the threshold before NMS, as Detector has it."""
        if self._fits(images):
            return self.detector.candidates(images, scale)
        if len(images) > 1:
            return _stack([self.candidates(image[None], scale) for image in images])
        _, height, width, _ = images.shape
        tiles = plan_tiles(height, width, self.detector.config.detector.max_pixels)
        scale = tf.cast(scale, tf.float32)
        return self._join([self._answer(images, tile, scale) for tile in tiles])

    def suppress(self, candidates: DetectionBatch) -> DetectionBatch:
        """NMS of candidates, as Detector has it."""
        return self.detector.suppress(candidates)

    def _fits(self, images: Array) -> bool:
        return math.prod(images.shape[:3]) <= self.detector.config.detector.max_pixels

    def _answer(self, images: Array, tile: Tile, scale: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Boxes [K, 4], scores [K] and landmarks [K, 5, 2] of the candidates of a tile's core."""
        x1, y1, x2, y2 = tile.window
        _, height, width, _ = images.shape
        # Centres of the last anchors may lie outside of the image: the last cores have no end.
        right = math.inf if tile.core[2] == width else tile.core[2] - x1
        bottom = math.inf if tile.core[3] == height else tile.core[3] - y1
        region = (tile.core[0] - x1, tile.core[1] - y1, right, bottom)
        found = self.detector.candidates(images[:, y1:y2, x1:x2], scale, region)
        boxes, scores, landmarks = (rows[0, : found.num_detections[0]] for rows in found[:3])
        origin = tf.constant([x1, y1], tf.float32) / scale
        return boxes + tf.tile(origin, [2]), scores, landmarks + origin

    def _join(self, answers: list[tuple[tf.Tensor, ...]]) -> DetectionBatch:
        """Candidates of all tiles of an image as those of the image."""
        # A row of zeros comes last, and counts only where there is no other: NMS needs one.
        nothing = tf.zeros([1, 4]), tf.zeros([1]), tf.zeros([1, 5, 2])
        boxes, scores, landmarks = (
            tf.concat(rows, axis=0) for rows in zip(*answers, nothing, strict=True)
        )
        count, top_k = len(scores) - 1, self.detector.config.detector.top_k
        count = count if top_k is None else min(count, top_k)
        scores, best = tf.math.top_k(scores, max(count, 1))
        boxes, landmarks = tf.gather(boxes, best), tf.gather(landmarks, best)
        return DetectionBatch(boxes[None], scores[None], landmarks[None], tf.constant([count]))


def _stack(parts: list[DetectionBatch]) -> DetectionBatch:
    """Candidates of single images as those of a batch."""
    most = max(part.scores.shape[1] for part in parts)

    def batch(each: tuple[tf.Tensor, ...]) -> tf.Tensor:
        return tf.concat([_pad(rows, most) for rows in each], axis=0)

    boxes, scores, landmarks, counts = zip(*parts, strict=True)
    return DetectionBatch(batch(boxes), batch(scores), batch(landmarks), tf.concat(counts, axis=0))


def _pad(rows: tf.Tensor, count: int) -> tf.Tensor:
    """Rows [1, D, ...] and zeros, `count` in all."""
    return tf.pad(rows, [[0, 0], [0, count - rows.shape[1]], *[[0, 0]] * (rows.ndim - 2)])
