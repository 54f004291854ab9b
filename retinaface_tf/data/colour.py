"""Jitters brightness, contrast, saturation and hue, in the graph."""

from collections.abc import Callable

import tensorflow as tf

# Takes an image and an amount; returns the adjusted image.
Adjust = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Limits of the random amounts: pixel values, two factors, turns of the colour circle.
BRIGHTNESS, CONTRAST, SATURATION, HUE = (-32.0, 32.0), (0.5, 1.5), (0.5, 1.5), (-18 / 180, 18 / 180)


def jitter_colour(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Adjusts brightness, contrast, saturation and hue, each with probability 1/2.

    Contrast comes before or after saturation and hue, equally often. Saturation and hue are those
    of HSV, and cannot leave the range.

    Source: biubug6/Pytorch_Retinaface, data/data_augment.py, `_distort`.

    Args:
        image: float32 [H, W, 3], 0..255.
        seed: int64 [2].

    Returns:
        float32 [H, W, 3], 0..255.
    """
    seeds = tf.random.split(seed, 9)
    brightness, contrast, saturation, hue = tf.unstack(tf.reshape(seeds[:8], [4, 2, 2]))
    is_contrast_first = tf.random.stateless_uniform([], seeds[8]) < 0.5

    def adjust_contrast(image: tf.Tensor) -> tf.Tensor:
        return _maybe(_scale, image, CONTRAST, contrast)

    image = _maybe(_brighten, image, BRIGHTNESS, brightness)
    image = tf.cond(is_contrast_first, lambda: adjust_contrast(image), lambda: image)
    image = _maybe(tf.image.adjust_saturation, image, SATURATION, saturation)
    image = _maybe(tf.image.adjust_hue, image, HUE, hue)
    return tf.cond(is_contrast_first, lambda: image, lambda: adjust_contrast(image))


def _maybe(
    adjust: Adjust, image: tf.Tensor, limits: tuple[float, float], seeds: tf.Tensor
) -> tf.Tensor:
    """Adjusts an image with probability 1/2, by an amount between limits.

    Args:
        adjust: the adjustment.
        image: float32 [H, W, 3].
        limits: of the amount.
        seeds: int64 [2, 2], for the amount and for whether to adjust.
    """
    amount_seed, odds_seed = tf.unstack(seeds)
    amount = tf.random.stateless_uniform([], amount_seed, *limits)
    is_applied = tf.random.stateless_uniform([], odds_seed) < 0.5
    return tf.cond(is_applied, lambda: adjust(image, amount), lambda: image)


def _brighten(image: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(image + amount, 0.0, 255.0)


def _scale(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    return tf.minimum(image * factor, 255.0)
