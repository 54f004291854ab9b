"""Images that anybody may have sent, decoded in the graph within bounds, without ever failing."""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.header import Kind, image_kind, stored_size, without_later_frames
from retinaface_tf.errors import ImageError

Opened = tuple[tf.Tensor, tf.Tensor]


class Bounds(NamedTuple):
    """Which images are looked at."""

    min_side: int
    max_side: int
    max_pixels: int

    def check(self, size: tf.Tensor) -> tf.Tensor:
        """ImageError, int32, of an image of height and width [2]."""
        size = tf.cast(size, tf.int64)
        # A side beyond the bound is never multiplied: the product may not fit.
        large = tf.reduce_any(size > self.max_side)
        large |= tf.reduce_prod(tf.minimum(size, self.max_side)) > self.max_pixels
        error = tf.where(large, int(ImageError.TOO_LARGE), int(ImageError.NONE))
        return tf.where(tf.reduce_any(size < self.min_side), int(ImageError.TOO_SMALL), error)


def open_within(bounds: Bounds, data: tf.Tensor) -> Opened:
    """Decodes an image unless its header tells that it is out of bounds.

    Args:
        bounds: checked before anything is decoded.
        data: string scalar, anything.

    Returns:
        Pixels uint8 [H, W, 3] as `decode_image` gives them, and ImageError.NONE, int32; or no
        pixels, [0, 0, 3], and what is wrong.
    """
    known = image_kind(data) != int(Kind.UNKNOWN)
    failed = tf.where(known, int(ImageError.BROKEN), int(ImageError.UNKNOWN_KIND))

    def decode(data: tf.Tensor) -> Opened:
        # Raises where the kind is unknown or the header broken.
        error = bounds.check(stored_size(data))
        image = tf.cond(
            error == int(ImageError.NONE),
            lambda: decode_image(without_later_frames(data)),
            _no_pixels,
        )
        return image, error

    # No operation decodes softly, but a pipeline passes over an element that fails; the second
    # element then stands in for it.
    opened = tf.data.Dataset.from_tensors(data).map(decode).ignore_errors(log_warning=False)
    instead = tf.data.Dataset.from_tensors((_no_pixels(), failed))
    # It lasts for one element, for which nothing is worth being optimised.
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    first = opened.concatenate(instead).take(1).with_options(options)
    image, error = tf.cond(known, first.get_single_element, lambda: (_no_pixels(), failed))
    return tf.ensure_shape(image, [None, None, 3]), tf.ensure_shape(error, [])


def _no_pixels() -> tf.Tensor:
    return tf.zeros([0, 0, 3], tf.uint8)
