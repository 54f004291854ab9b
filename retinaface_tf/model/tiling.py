"""Detection in tiles, for images too large for the network at once."""

import math
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import STRIDES
from retinaface_tf.model.detector import Candidates, GraphDetector, scale_of_axes
from retinaface_tf.structures import Array, DetectionBatch

# Tiles that begin at multiples of it have the anchors of the whole image.
COARSEST_STRIDE = STRIDES[-1]
# Pixels that a window needs around its core, so that the core has the predictions of the whole
# image. ResNet-34 has the largest receptive field of the backbones: 899 pixels, 449 to each side
# of the first pixel of a cell. Three 3x3 convolutions of a context module at stride 32 add
# 3 * 32 = 96, which makes 545. Finer levels need less, 529 at stride 16 and 521 at stride 8, where
# the merge adds one convolution, and the upsampling up to 16 and 24 pixels.
MARGIN = 576

Box = tuple[int, int, int, int]  # `x1 y1 x2 y2` in pixels of the image, x2 and y2 not included
Count = TypeVar("Count", int, NDArray[np.int64])


class Tile(NamedTuple):
    """A part of an image."""

    window: Box  # the input of the network
    core: Box  # the part of the window from which detections are taken


def plan_tiles(height: int, width: int, max_pixels: int) -> list[Tile]:
    """Cuts an image of `height` x `width` pixels into tiles.

    Cores partition the image. A window is its core with MARGIN on each side, clipped to the image.
    Both begin at multiples of COARSEST_STRIDE. Of all grids whose windows have at most `max_pixels`
    each, this is the one whose windows have the fewest pixels in all: an elongated image is cut
    along its long side only. `max_pixels` must allow for a core of one cell of the coarsest level.
    """
    rows, columns = _grid(height, width, max_pixels)
    return [
        Tile(_with_margin((x1, y1, x2, y2), height, width), (x1, y1, x2, y2))
        for y1, y2 in pairwise(_edges(height, rows))
        for x1, x2 in pairwise(_edges(width, columns))
    ]


def _with_margin(core: Box, height: int, width: int) -> Box:
    x1, y1, x2, y2 = core
    corner = max(x1 - MARGIN, 0), max(y1 - MARGIN, 0)
    return *corner, min(x2 + MARGIN, width), min(y2 + MARGIN, height)


def _grid(height: int, width: int, max_pixels: int) -> tuple[int, int]:
    """Returns the rows and columns of the grid with the fewest pixels whose windows fit."""
    (longest_y, sum_y), (longest_x, sum_x) = _windows(height), _windows(width)
    fits = np.outer(longest_y, longest_x) <= max_pixels
    pixels = np.where(fits, np.outer(sum_y, sum_x), np.inf)
    row, column = np.unravel_index(np.argmin(pixels), pixels.shape)
    return int(row) + 1, int(column) + 1


def _windows(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the longest window along an axis and the sum of all, for 1, 2, 3... tiles."""
    counts = np.arange(1, -(-length // COARSEST_STRIDE) + 1)
    longest = np.minimum(length, 2 * MARGIN + _pitch(length, counts))
    return longest, length + 2 * MARGIN * (counts - 1)


def _pitch(length: int, count: Count) -> Count:
    """Returns the pixels from one core to the next, where `count` cores share an axis.

    The first and the last window have a margin on one side only, so their cores are longer by one
    margin; the rest of the axis is divided evenly.
    """
    return COARSEST_STRIDE * -((2 * MARGIN - length) // (COARSEST_STRIDE * count))


def _edges(length: int, count: int) -> list[int]:
    """Returns where the cores along an axis begin, and where the last one ends."""
    if count == 1:
        return [0, length]
    pitch = _pitch(length, count)
    return [0, *range(MARGIN + pitch, length - MARGIN, pitch), length]


class TiledDetector:
    """Detects faces in images of any size, with the memory for `detector.max_pixels`.

    Images above that size are detected in tiles, one image at a time. The detections are those of
    a detector that had the memory for the whole image.
    """

    def __init__(self, detector: GraphDetector):
        self.detector = detector

    def __call__(self, images: Array, scale: float | tf.Tensor = 1.0) -> DetectionBatch:
        """Detects faces; arguments and result are those of `GraphDetector.__call__`."""
        if self.fits(images):
            return self.detector(images, scale)
        return self.suppress(self.candidates(images, scale))

    def candidates(self, images: Array, scale: float | tf.Tensor = 1.0) -> DetectionBatch:
        """Returns what is above the score threshold before NMS, as `GraphDetector.candidates`."""
        if self.fits(images):
            return self.detector.candidates(images, scale)
        if len(images) > 1:
            scales = tf.broadcast_to(scale_of_axes(scale), [len(images), 2])
            each = zip(images[:, None], scales, strict=True)
            return _stack([self.candidates(image, scale) for image, scale in each])
        _, height, width, _ = images.shape
        tiles = plan_tiles(height, width, self.detector.config.detector.max_pixels)
        scale = scale_of_axes(scale)
        return self._join([self._candidates(images, tile, scale) for tile in tiles])

    def suppress(self, candidates: DetectionBatch) -> DetectionBatch:
        """Suppresses overlapping candidates, as `GraphDetector.suppress`."""
        return self.detector.suppress(candidates)

    def fits(self, images: Array) -> bool:
        return math.prod(images.shape[:3]) <= self.detector.config.detector.max_pixels

    def _candidates(self, images: Array, tile: Tile, scale: tf.Tensor) -> Candidates:
        """Returns the candidates [K] of a tile's core, in pixels of the image before resizing."""
        x1, y1, x2, y2 = tile.window
        _, height, width, _ = images.shape
        # The last anchors may have their centres outside of the image: the last cores have no end.
        right = math.inf if tile.core[2] == width else tile.core[2] - x1
        bottom = math.inf if tile.core[3] == height else tile.core[3] - y1
        region = (tile.core[0] - x1, tile.core[1] - y1, right, bottom)
        found = self.detector.candidates(images[:, y1:y2, x1:x2], scale, region)
        boxes, scores, landmarks = (rows[0, : found.num_detections[0]] for rows in found[:3])
        origin = tf.constant([x1, y1], tf.float32) / scale  # [1, 2]
        return Candidates(boxes + tf.tile(origin, [1, 2]), scores, landmarks + origin)

    def _join(self, tiles: list[Candidates]) -> DetectionBatch:
        """Merges the candidates of the tiles of an image into those of the image."""
        # NMS needs a row: one of zeros comes last, and stays where there is no other.
        padding = Candidates(tf.zeros([1, 4]), tf.zeros([1]), tf.zeros([1, 5, 2]))
        boxes, scores, landmarks = (
            tf.concat(rows, axis=0) for rows in zip(*tiles, padding, strict=True)
        )
        count, top_k = len(scores) - 1, self.detector.config.detector.top_k
        count = count if top_k is None else min(count, top_k)
        scores, best = tf.math.top_k(scores, max(count, 1))
        boxes, landmarks = tf.gather(boxes, best), tf.gather(landmarks, best)
        return DetectionBatch(boxes[None], scores[None], landmarks[None], tf.constant([count]))


def _stack(parts: list[DetectionBatch]) -> DetectionBatch:
    """Joins the candidates of single images into those of a batch."""
    count = max(part.scores.shape[1] for part in parts)

    def batch(images: tuple[tf.Tensor, ...]) -> tf.Tensor:
        return tf.concat([_pad(rows, count) for rows in images], axis=0)

    boxes, scores, landmarks, counts = zip(*parts, strict=True)
    return DetectionBatch(batch(boxes), batch(scores), batch(landmarks), tf.concat(counts, axis=0))


def _pad(rows: tf.Tensor, count: int) -> tf.Tensor:
    """Pads rows [1, D, ...] with zeros to [1, count, ...]."""
    return tf.pad(rows, [[0, 0], [0, count - rows.shape[1]], *[[0, 0]] * (rows.ndim - 2)])
