"""Decodes images that anybody may have sent, in the graph, within bounds, without ever failing."""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.decode import decode_first_frame
from retinaface_tf.data.header import image_kind, read_header
from retinaface_tf.data.outline import Kind
from retinaface_tf.errors import ImageError


class Opened(NamedTuple):
    """An image, or why there is none."""

    pixels: tf.Tensor  # uint8 [H, W, 3] as `decode_image` gives them; [0, 0, 3] with an error
    error: tf.Tensor  # int32 scalar, ImageError


class Bounds(NamedTuple):
    """The sizes of images that a model takes, in pixels."""

    min_side: int
    max_side: int
    max_pixels: int

    def check(self, size: tf.Tensor) -> tf.Tensor:
        """Returns the ImageError, int32, for an image of height and width [2]."""
        size = tf.cast(size, tf.int64)
        # A side beyond the bound is never multiplied: the product may not fit.
        large = tf.reduce_any(size > self.max_side)
        large |= tf.reduce_prod(tf.minimum(size, self.max_side)) > self.max_pixels
        error = tf.where(large, int(ImageError.TOO_LARGE), int(ImageError.NONE))
        return tf.where(tf.reduce_any(size < self.min_side), int(ImageError.TOO_SMALL), error)


def open_within(bounds: Bounds, data: tf.Tensor) -> Opened:
    """Decodes an image unless its header tells that it is out of bounds or asks for absurd work.

    Args:
        bounds: checked before anything is decoded, as are the limits of `data.outline`.
        data: string scalar, anything.
    """
    kind = image_kind(data)
    known = kind != int(Kind.UNKNOWN)
    failed = tf.where(known, int(ImageError.BROKEN), int(ImageError.UNKNOWN_KIND))
    instead = Opened(tf.zeros([0, 0, 3], tf.uint8), failed)

    def decode(data: tf.Tensor, kind: tf.Tensor) -> Opened:
        # Raises where the header or what follows is broken.
        header = read_header(data, kind)
        too_complex = tf.where(header.is_excessive, int(ImageError.TOO_COMPLEX), 0)
        error = bounds.check(header.size)
        error = tf.where(error == int(ImageError.NONE), too_complex, error)
        pixels = tf.cond(
            error == int(ImageError.NONE),
            lambda: decode_first_frame(header.first_frame),
            lambda: instead.pixels,
        )
        return Opened(pixels, error)

    # No operation decodes softly, but a pipeline passes over an element that fails; the second
    # element then stands in for it.
    decoded = tf.data.Dataset.from_tensors((data, kind)).map(decode)
    decoded = decoded.ignore_errors(log_warning=False)
    # The pipeline lasts for one element, for which nothing is worth being optimised.
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    first = decoded.concatenate(tf.data.Dataset.from_tensors(instead)).take(1)
    opened = tf.cond(known, first.with_options(options).get_single_element, lambda: instead)
    return Opened(
        tf.ensure_shape(opened.pixels, [None, None, 3]), tf.ensure_shape(opened.error, [])
    )
