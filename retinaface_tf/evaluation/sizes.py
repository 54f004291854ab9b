"""Sizes at which the network sees an image, by protocol."""

from typing import Any

import tensorflow as tf

from retinaface_tf.config import EvalConfig

VGA_LONG_SIDE = 640


def network_scale(height: Any, width: Any, config: EvalConfig) -> Any:
    """Factor by which the protocol resizes an image of that size, float64.

    `resized`: short side to config.short_side, unless that makes the long side longer than
    config.long_side; `vga`: long side to 640; `original` and `ms_flip`, which resizes by itself: 1.
    """
    if config.protocol == "resized":
        return bounded_scale(height, width, config.short_side, config.long_side)
    if config.protocol == "vga":
        return VGA_LONG_SIDE / tf.cast(tf.maximum(height, width), tf.float64)
    return tf.ones([], tf.float64)


def bounded_scale(height: Any, width: Any, short_side: int, long_side: int) -> Any:
    """Factor that brings the short side to one length, unless the long one gets too long by it."""
    height, width = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    short, long = tf.minimum(height, width), tf.maximum(height, width)
    scale = short_side / short
    return tf.where(tf.round(scale * long) > long_side, long_side / long, scale)


def resize(image: tf.Tensor, scale: Any) -> tf.Tensor:
    """An image uint8 [H, W, 3] at float64 `scale` of its size, at least a pixel of it."""
    size = tf.round(tf.cast(tf.shape(image)[:2], tf.float64) * scale)
    resized = tf.image.resize(image, tf.maximum(tf.cast(size, tf.int32), 1))
    return tf.saturate_cast(tf.round(resized), tf.uint8)
