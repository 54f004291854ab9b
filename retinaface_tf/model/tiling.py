"""Detects faces in tiles, for images too large to go through the network at once."""

import math
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import STRIDES
from retinaface_tf.model.detector import GraphDetector, scale_of_axes
from retinaface_tf.structures import Array, DetectionBatch

# Tiles that begin at multiples of this stride have the anchors of the whole image.
COARSEST_STRIDE = STRIDES[-1]
# Pixels that a window needs around its core, so that the predictions in the core are those of the
# whole image. Of the backbones, ResNet-34 has the largest receptive field: 899 pixels, 449 to each
# side of the first pixel of a cell. The three 3x3 convolutions of a context module at stride 32 add
# 3 * 32 = 96, which makes 545. Finer levels need less: 529 at stride 16 and 521 at stride 8, where
# merging adds one convolution, and upsampling up to 16 and 24 pixels.
MARGIN = 576

COLUMNS = 15  # of a row: box, score, landmarks

_IMAGE = tf.TensorSpec([None, None, 3], tf.uint8)
_SCALAR = tf.TensorSpec([], tf.float32)
_SCALE = tf.TensorSpec([2], tf.float32)


class Tiles(NamedTuple):
    """Holds parts of an image, as `x1 y1 x2 y2` in pixels, x2 and y2 not included."""

    windows: tf.Tensor  # int32 [T, 4], inputs of the network
    cores: tf.Tensor  # int32 [T, 4], the parts of the windows from which detections are taken


def plan_tiles(height: Array, width: Array, max_pixels: int) -> Tiles:
    """Cuts an image of `height` x `width` pixels into tiles.

    Cores partition the image. A window is its core with MARGIN on each side, clipped to the image.
    Both begin at multiples of COARSEST_STRIDE. Of all grids whose windows have at most `max_pixels`
    each, the one with the fewest pixels in all windows is chosen: an elongated image is cut along
    its long side only. `max_pixels` must allow a core of one cell of the coarsest level.
    """
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    rows, columns = _grid(height, width, max_pixels)
    y, x = _edges(height, rows), _edges(width, columns)
    y1, x1 = tf.meshgrid(y[:-1], x[:-1], indexing="ij")
    y2, x2 = tf.meshgrid(y[1:], x[1:], indexing="ij")
    cores = tf.reshape(tf.stack([x1, y1, x2, y2], axis=-1), [-1, 4])
    far = tf.minimum(cores[:, 2:] + MARGIN, tf.stack([width, height]))
    windows = tf.concat([tf.maximum(cores[:, :2] - MARGIN, 0), far], axis=1)
    return Tiles(tf.cast(windows, tf.int32), tf.cast(cores, tf.int32))


def _grid(height: tf.Tensor, width: tf.Tensor, max_pixels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows and columns of the fitting grid whose windows have the fewest pixels."""
    (longest_y, sum_y), (longest_x, sum_x) = _windows(height), _windows(width)
    fits = longest_y[:, None] * longest_x <= max_pixels
    pixels = tf.where(fits, sum_y[:, None] * sum_x, tf.int64.max)
    best = tf.argmin(tf.reshape(pixels, [-1]))
    columns = tf.size(sum_x, tf.int64)
    return best // columns + 1, best % columns + 1


def _windows(length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the longest window along an axis and the sum of all windows, for 1, 2, 3... tiles."""
    counts = tf.range(1, -(-length // COARSEST_STRIDE) + 1)
    longest = tf.minimum(length, 2 * MARGIN + _pitch(length, counts))
    return longest, length + 2 * MARGIN * (counts - 1)


def _pitch(length: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns the pixels from one core to the next if `count` cores share an axis.

    The first and the last window have a margin on one side only, so their cores are one margin
    longer; the rest of the axis is divided evenly.
    """
    return COARSEST_STRIDE * -((2 * MARGIN - length) // (COARSEST_STRIDE * count))


def _edges(length: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns where the cores along an axis begin, and where the last one ends."""
    pitch = tf.maximum(_pitch(length, count), COARSEST_STRIDE)
    first = MARGIN + pitch
    inner = tf.range(first, tf.where(count > 1, length - MARGIN, first), pitch)
    return tf.concat([[0], inner, [length]], axis=0)


class TiledDetector(tf.Module):
    """Detects faces in images of any size, with the memory for `detector.max_pixels` pixels.

    Larger images are processed in tiles, one image at a time. The detections are those of a
    detector with enough memory for the whole image.
    """

    def __init__(self, detector: GraphDetector):
        super().__init__(name="tiled_detector")
        self.detector = detector

    def __call__(
        self,
        images: Array,
        scale: float | tf.Tensor = 1.0,
        *,
        score_threshold: float | tf.Tensor | None = None,
        nms_iou: float | tf.Tensor | None = None,
    ) -> DetectionBatch:
        """Detects faces, with the arguments and result of `GraphDetector.__call__`."""
        if self.fits(images):
            return self.detector(images, scale, score_threshold=score_threshold, nms_iou=nms_iou)
        found = self.candidates(images, scale, score_threshold=score_threshold)
        return self.suppress(found, score_threshold=score_threshold, nms_iou=nms_iou)

    def candidates(
        self,
        images: Array,
        scale: float | tf.Tensor = 1.0,
        *,
        score_threshold: float | tf.Tensor | None = None,
    ) -> DetectionBatch:
        """Returns the boxes above the score threshold before NMS, as `GraphDetector.candidates`."""
        if self.fits(images):
            return self.detector.candidates(images, scale, score_threshold=score_threshold)
        threshold, _ = self.detector.thresholds(score_threshold, None)
        scales = tf.broadcast_to(scale_of_axes(scale), [len(images), 2])
        thresholds = tf.broadcast_to(threshold, [len(images)])
        return _stack(
            [
                self.candidates_of_image(*each)
                for each in zip(images, scales, thresholds, strict=True)
            ]
        )

    def suppress(
        self,
        candidates: DetectionBatch,
        *,
        score_threshold: float | tf.Tensor | None = None,
        nms_iou: float | tf.Tensor | None = None,
    ) -> DetectionBatch:
        """Suppresses overlapping candidates, as `GraphDetector.suppress`."""
        return self.detector.suppress(candidates, score_threshold=score_threshold, nms_iou=nms_iou)

    def fits(self, images: Array) -> bool:
        return math.prod(images.shape[:3]) <= self.detector.config.detector.max_pixels

    def detect_image(
        self, image: tf.Tensor, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        """Detects faces in one image, in eager code and in graphs, as a batch of one.

        Args:
            image: uint8 [H, W, 3], RGB, upright, of any size.
            score_threshold: float32 scalar.
            nms_iou: float32 scalar.
        """
        found = self.candidates_of_image(image, tf.ones([2]), score_threshold)
        return self.suppress(found, score_threshold=score_threshold, nms_iou=nms_iou)

    @tf.function(autograph=False, input_signature=[_IMAGE, _SCALE, _SCALAR])
    def candidates_of_image(
        self, image: tf.Tensor, scale: tf.Tensor, score_threshold: tf.Tensor
    ) -> DetectionBatch:
        """Returns the candidates of one image, in eager code and in graphs.

        Args:
            image: uint8 [H, W, 3], RGB, upright, of any size.
            scale: factors for x and y by which the image was resized, float32 [2].
            score_threshold: float32 scalar.

        Returns:
            A batch of one, best first.
        """
        size = tf.shape(image)[:2]
        tiles = plan_tiles(size[0], size[1], self.detector.config.detector.max_pixels)
        count = tf.shape(tiles.cores)[0]

        def add(i: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            tile = self._of_tile(image, tiles.windows[i], tiles.cores[i], scale, score_threshold)
            return i + 1, tf.concat([found, tile], axis=0)

        _, found = tf.while_loop(
            lambda i, _: i < count,
            add,
            (tf.constant(0), tf.zeros([0, COLUMNS])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, COLUMNS])),
            parallel_iterations=1,
        )
        return self._best_first(found)

    def _of_tile(
        self,
        image: tf.Tensor,
        window: tf.Tensor,
        core: tf.Tensor,
        scale: tf.Tensor,
        score_threshold: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the candidates of a tile's core, in pixels of the image before resizing."""
        x1, y1, x2, y2 = tf.unstack(window)
        # The last anchors may have centres outside the image, so the last cores have no end.
        is_last = core[2:] == tf.reverse(tf.shape(image)[:2], [0])
        far = tf.where(is_last, math.inf, tf.cast(core[2:] - window[:2], tf.float32))
        region = tf.concat([tf.cast(core[:2] - window[:2], tf.float32), far], axis=0)
        pixels = image[None, y1:y2, x1:x2]
        batch = self.detector.candidates(pixels, scale, region, score_threshold=score_threshold)
        return to_rows(batch) + _shift(tf.cast(window[:2], tf.float32) / scale)

    def _best_first(self, rows: tf.Tensor) -> DetectionBatch:
        """Sorts the candidates [K, 15] of all tiles, and keeps `top_k` of them."""
        count, top_k = tf.shape(rows)[0], self.detector.config.detector.top_k
        count = count if top_k is None else tf.minimum(count, top_k)
        # NMS needs a row: a row of zeros comes last, and stays if there is no other.
        rows = tf.pad(rows, [[0, 1], [0, 0]])
        best = tf.math.top_k(rows[:, 4], tf.maximum(count, 1)).indices
        return from_rows(tf.gather(rows, best), count)


def to_rows(batch: DetectionBatch) -> tf.Tensor:
    """Packs the detections of a batch of one as `x1 y1 x2 y2 score`, then the points: [N, 15]."""
    landmarks = tf.reshape(batch.landmarks, [1, -1, 10])
    rows = tf.concat([batch.boxes, batch.scores[..., None], landmarks], axis=-1)
    return rows[0, : batch.num_detections[0]]


def from_rows(rows: tf.Tensor, count: tf.Tensor) -> DetectionBatch:
    """Unpacks rows [D, 15], of which `count` are not padding, into a batch of one."""
    landmarks = tf.reshape(rows[None, :, 5:], [1, -1, 5, 2])
    return DetectionBatch(rows[None, :, :4], rows[None, :, 4], landmarks, count[None])


def _shift(origin: tf.Tensor) -> tf.Tensor:
    """Returns what to add to a row [15] to move its box and points by `x y` [2]."""
    return tf.concat([tf.tile(origin, [2]), [0.0], tf.tile(origin, [5])], axis=0)


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
