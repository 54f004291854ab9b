"""At which size the network sees an image, by protocol (REFERENCE 8.1)."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from retinaface_tf.config import EvalConfig

VGA_LONG_SIDE = 640
MS_SHORT_SIDE, MS_LONG_SIDE = 800, 1200


def network_scale(height: Any, width: Any, config: EvalConfig) -> Any:
    """Factor by which the protocol resizes an image of that size, float64.

    `resized`: short side to config.short_side, unless that makes the long side longer than
    config.long_side; `vga`: long side to 640; `original`: 1, and so `ms_flip`, which resizes by
    itself.
    """
    height, width = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    if config.protocol in ("original", "ms_flip"):
        return tf.ones_like(height)
    if config.protocol == "vga":
        return VGA_LONG_SIDE / tf.maximum(height, width)
    return _bounded(height, width, config.short_side, config.long_side)


def multiple_scales(height: int, width: int, short_sides: Sequence[int]) -> list[float]:
    """Factors of protocol ms_flip: the short side to each of `short_sides`.

    If 800 for the short side means more than 1200 for the long one, all are as much smaller as that
    has to be.
    """
    size = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    base = float(_bounded(*size, MS_SHORT_SIDE, MS_LONG_SIDE))
    return [base * side / MS_SHORT_SIDE for side in short_sides]


def _bounded(height: tf.Tensor, width: tf.Tensor, short_side: int, long_side: int) -> tf.Tensor:
    """Factor that brings the short side to a length, unless the long one gets too long."""
    short, long = tf.minimum(height, width), tf.maximum(height, width)
    scale = short_side / short
    return tf.where(tf.round(scale * long) > long_side, long_side / long, scale)
