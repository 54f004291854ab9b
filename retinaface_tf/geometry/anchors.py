"""Makes the grid of anchors for an image size.

Source: biubug6/Pytorch_Retinaface, layers/functions/prior_box.py.
"""

from collections.abc import Sequence

import tensorflow as tf

from retinaface_tf.config import STRIDES, AnchorConfig


def make_anchors(
    height: int | tf.Tensor, width: int | tf.Tensor, config: AnchorConfig
) -> tf.Tensor:
    """Makes the anchors of an image of `height` x `width` pixels, which may be tensors.

    Returns:
        float32 [A, 4], `cx cy w h` in fractions of the image; ordered by level, row, column,
        size. Centres of the last row and column may lie outside the image, as at 840: the
        originals keep and train such anchors, and so does this function.
    """
    levels = [
        _level(height, width, stride, sizes)
        for stride, sizes in zip(STRIDES, config.sizes, strict=True)
    ]
    anchors = tf.concat(levels, axis=0)
    return tf.clip_by_value(anchors, 0.0, 1.0) if config.clip else anchors


def _level(
    height: int | tf.Tensor, width: int | tf.Tensor, stride: int, sizes: Sequence[float]
) -> tf.Tensor:
    """Makes the anchors of one level: float32 [rows * columns * len(sizes), 4]."""
    cy, h = _axis(height, stride, sizes)
    cx, w = _axis(width, stride, sizes)
    shape = tf.stack([tf.size(cy), tf.size(cx), len(sizes)])
    columns = [cx[None, :, None], cy[:, None, None], w, h]
    grid = tf.stack([tf.broadcast_to(column, shape) for column in columns], axis=-1)
    return tf.reshape(grid, [-1, 4])


def _axis(
    pixels: int | tf.Tensor, stride: int, sizes: Sequence[float]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns centres [cells] and extents [len(sizes)] along one axis, in fractions of it."""
    # Rounds up without negative numbers, which ONNX divides towards zero.
    cells = (pixels + stride - 1) // stride
    # In float64, then cast, as in the originals: equal bit for bit.
    extent = tf.cast(pixels, tf.float64)
    centres = (tf.range(cells, dtype=tf.float64) + 0.5) * stride / extent
    extents = tf.constant(sizes, tf.float64) / extent
    return tf.cast(centres, tf.float32), tf.cast(extents, tf.float32)
