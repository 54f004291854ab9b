"""Computes the size at which the network sees an image, by protocol.

Source: `resized` is MindSpore's retinaface_resnet50 eval.py (long side 2176) and biubug6's
test_widerface.py (2150); `ms_flip` is insightface's detection/retinaface/test_widerface.py.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from retinaface_tf.config import EvalConfig

# Protocols that take images as they are.
OWN_SIZE = ("original", "ms_flip", "all_sizes")
VGA_LONG_SIDE = 640
MS_SHORT_SIDE, MS_LONG_SIDE = 800, 1200


def network_scale(height: Any, width: Any, config: EvalConfig) -> Any:
    """Returns the factor by which the protocol resizes an image, float64.

    `resized` brings the short side to config.short_side, unless that makes the long side longer
    than config.long_side. `vga` brings the long side to 640. The factor is 1 for `original`, and
    for `ms_flip` and `all_sizes`, which resize by themselves.
    """
    height, width = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    if config.protocol in OWN_SIZE:
        return tf.ones_like(height)
    if config.protocol == "vga":
        return VGA_LONG_SIDE / tf.maximum(height, width)
    return _bounded(height, width, config.short_side, config.long_side)


def multiple_scales(height: int, width: int, short_sides: Sequence[int]) -> list[float]:
    """Returns the factors of protocol ms_flip, which bring the short side to each of `short_sides`.

    If a short side of 800 means a long side above 1200, all factors shrink by the same ratio, so
    that this long side is 1200.
    """
    size = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    base = float(_bounded(*size, MS_SHORT_SIDE, MS_LONG_SIDE))
    return [base * side / MS_SHORT_SIDE for side in short_sides]


def _bounded(height: tf.Tensor, width: tf.Tensor, short_side: int, long_side: int) -> tf.Tensor:
    """Returns the factor that brings the short side to a length, limited by the long side."""
    short, long = tf.minimum(height, width), tf.maximum(height, width)
    scale = short_side / short
    return tf.where(tf.round(scale * long) > long_side, long_side / long, scale)
