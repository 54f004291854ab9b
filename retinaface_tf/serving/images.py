"""Decodes untrusted images in the graph, within bounds, and never fails."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.decode import (
    decode_first_frame,
    decode_jpeg,
    decode_whole_jpeg,
    may_miss_pixels,
)
from retinaface_tf.data.exif import exif_orientation, turn_upright
from retinaface_tf.data.header import image_kind, read_header
from retinaface_tf.data.outline import MAX_SCANS, Kind
from retinaface_tf.data.segments import count_scans
from retinaface_tf.errors import ImageError


class Opened(NamedTuple):
    """Holds an image, or why there is none."""

    pixels: tf.Tensor  # uint8 [H, W, 3] as from `decode_image`; [0, 0, 3] with an error
    error: tf.Tensor  # int32 scalar, ImageError


class Bounds(NamedTuple):
    """Holds the bounds of image sizes that a model accepts, in pixels."""

    min_side: int
    max_side: int
    max_pixels: int

    def check(self, size: tf.Tensor) -> tf.Tensor:
        """Returns the ImageError, int32, for an image of height and width [2]."""
        size = tf.cast(size, tf.int64)
        # A side beyond the bound is never multiplied, as the product may overflow.
        large = tf.reduce_any(size > self.max_side)
        large |= tf.reduce_prod(tf.minimum(size, self.max_side)) > self.max_pixels
        error = tf.where(large, int(ImageError.TOO_LARGE), int(ImageError.NONE))
        return tf.where(tf.reduce_any(size < self.min_side), int(ImageError.TOO_SMALL), error)


def open_within(bounds: Bounds, data: tf.Tensor) -> Opened:
    """Decodes an image unless its header shows that it is out of bounds or asks for absurd work.

    Args:
        bounds: checked before anything is decoded, as are the limits of `data.outline`.
        data: string scalar, anything.
    """
    opened = tf.cond(
        tf.io.is_jpeg(data), lambda: _open_jpeg(bounds, data), lambda: _open_other(bounds, data)
    )
    return Opened(
        tf.ensure_shape(opened.pixels, [None, None, 3]), tf.ensure_shape(opened.error, [])
    )


def _open_jpeg(bounds: Bounds, data: tf.Tensor) -> Opened:
    """Opens what begins as a JPEG; steps that cannot fail stay outside `_or_broken`."""
    is_excessive = count_scans(data, MAX_SCANS) > MAX_SCANS

    def decode(data: tf.Tensor, is_excessive: tf.Tensor) -> Opened:
        size = tf.image.extract_jpeg_shape(data)[:2]
        return _decode_unless(bounds.check(size), is_excessive, lambda: decode_jpeg(data))

    def decode_whole(data: tf.Tensor) -> Opened:
        return Opened(decode_whole_jpeg(data), tf.constant(int(ImageError.NONE)))

    stored = _or_broken(decode, data, is_excessive)
    is_doubtful = tf.cond(
        stored.error == int(ImageError.NONE),
        lambda: may_miss_pixels(stored.pixels),
        lambda: tf.constant(False),
    )
    whole = tf.cond(
        is_doubtful,
        lambda: _or_broken(
            lambda data: Opened(decode_whole_jpeg(data), tf.constant(int(ImageError.NONE))), data
        ),
        lambda: stored,
    )
    return Opened(turn_upright(whole.pixels, exif_orientation(data)), whole.error)


def _open_other(bounds: Bounds, data: tf.Tensor) -> Opened:
    kind = image_kind(data)

    def decode(data: tf.Tensor, kind: tf.Tensor) -> Opened:
        header = read_header(data, kind)
        return _decode_unless(
            bounds.check(header.size),
            header.is_excessive,
            lambda: decode_first_frame(header.first_frame),
        )

    unknown = Opened(_no_pixels(), tf.constant(int(ImageError.UNKNOWN_KIND)))
    return tf.cond(
        kind == int(Kind.UNKNOWN), lambda: unknown, lambda: _or_broken(decode, data, kind)
    )


def _decode_unless(
    error: tf.Tensor, is_excessive: tf.Tensor, decode: Callable[[], tf.Tensor]
) -> Opened:
    """Decodes an image unless its size is an error, or it asks for absurd work."""
    too_complex = tf.where(is_excessive, int(ImageError.TOO_COMPLEX), int(ImageError.NONE))
    error = tf.where(error == int(ImageError.NONE), too_complex, error)
    return Opened(tf.cond(error == int(ImageError.NONE), decode, _no_pixels), error)


def _or_broken(open_image: Callable[..., Opened], *inputs: tf.Tensor) -> Opened:
    """Opens an image, or answers BROKEN if that fails.

    All decoding operations raise errors, but a pipeline can skip an element that fails; the second
    element then stands in for it. TensorFlow prepares the pipeline's function anew for each image,
    which takes longer the more operations the function has.
    """
    broken = Opened(_no_pixels(), tf.constant(int(ImageError.BROKEN)))
    open_image = tf.autograph.experimental.do_not_convert(open_image)
    opened = tf.data.Dataset.from_tensors(inputs).map(open_image).ignore_errors(log_warning=False)
    # The pipeline lasts for one element, for which no optimisation pays off.
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    first = opened.concatenate(tf.data.Dataset.from_tensors(broken)).take(1)
    return first.with_options(options).get_single_element()


def _no_pixels() -> tf.Tensor:
    return tf.zeros([0, 0, 3], tf.uint8)
