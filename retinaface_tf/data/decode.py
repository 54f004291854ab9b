"""Decodes images to upright RGB pixels, in the graph, for training, evaluation and export alike."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.exif import (
    MIRRORED,
    TRANSPOSED,
    UPSIDE_DOWN,
    exif_orientation,
    turn_upright,
)
from retinaface_tf.data.header import image_kind, read_header
from retinaface_tf.data.outline import UNFILLED, is_animated_webp
from retinaface_tf.data.segments import with_more_data
from retinaface_tf.errors import one_line

RATIOS = (1, 2, 4, 8)  # by which a JPEG can be reduced in decoding


@tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
def decode_image(data: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG, PNG, BMP, WebP or GIF (first frame).

    Args:
        data: string scalar, the file's bytes.

    Returns:
        uint8 [H, W, 3], RGB, turned upright by the EXIF orientation of a JPEG.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not an image, are cut short, or are a JPEG
            that claims more pixels than it holds.
    """

    def other() -> tf.Tensor:
        return decode_first_frame(read_header(data, image_kind(data)).first_frame)

    def jpeg() -> tf.Tensor:
        return turn_upright(decode_whole_jpeg(data), exif_orientation(data))

    return tf.ensure_shape(tf.cond(tf.io.is_jpeg(data), jpeg, other), [None, None, 3])


def decode_first_frame(data: tf.Tensor) -> tf.Tensor:
    """Decodes the bytes that `read_header` returns for an image other than a JPEG."""
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    return tf.ensure_shape(image, [None, None, 3])


def decode_whole_jpeg(data: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG as it is stored, and checks for missing pixels, which the decoder makes grey.

    Raises:
        tf.errors.InvalidArgumentError: the JPEG is damaged, or claims more pixels than it holds.
    """

    def checked() -> tf.Tensor:
        # More data does not change an image that has all its pixels.
        same = tf.reduce_all(decode_jpeg(with_more_data(data)) == pixels)
        message = ["the file claims more pixels than it holds:", tf.shape(pixels)]
        with tf.control_dependencies([tf.debugging.Assert(same, message)]):
            return tf.identity(pixels)

    pixels = decode_jpeg(data)
    return tf.cond(may_miss_pixels(pixels), checked, lambda: pixels)


def decode_jpeg(data: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG as it is stored, with or without all pixels: uint8 [H, W, 3]."""
    # The accurate transform is as fast, and decodes as OpenCV and PIL do.
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def may_miss_pixels(pixels: tf.Tensor) -> tf.Tensor:
    """Tells whether a JPEG with these pixels may hold fewer than it claims, bool scalar.

    Pixels go missing from the end, so a last pixel of another colour proves that all are there.
    """
    last = tf.cast(pixels[-1, -1], tf.int32)
    return tf.reduce_any(tf.reduce_all(last == tf.constant(UNFILLED)[:, None], axis=1))


def decode_fully(data: tf.Tensor) -> tf.Tensor:
    """Decodes an image as `decode_image` does, and a JPEG also reduced, as in training.

    Checks use this function, so that images that pass can be trained on.
    """
    image = decode_image(data)

    def reduced() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        return decode_window(open_image(data), tf.stack([0, 0, width, height]), 1)[0]

    other = tf.cond(tf.io.is_jpeg(data), reduced, lambda: image[:0])
    with tf.control_dependencies([other]):
        return tf.identity(image)


class Encoded(NamedTuple):
    """Holds the bytes of an image, and what its header states."""

    data: tf.Tensor  # string scalar
    orientation: tf.Tensor  # int32 scalar, EXIF's 1..8
    size: tf.Tensor  # int32 [2], height and width of the upright image


def open_image(data: tf.Tensor) -> Encoded:
    """Reads the orientation and size of an image; kinds other than JPEG are decoded for this."""

    def jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        orientation = exif_orientation(data)
        size = tf.image.extract_jpeg_shape(data)[:2]
        return orientation, tf.cond(orientation >= TRANSPOSED, lambda: size[::-1], lambda: size)

    def other() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.constant(1), tf.shape(decode_image(data))[:2]

    return Encoded(data, *tf.cond(tf.io.is_jpeg(data), jpeg, other))


@tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
def read_size(data: tf.Tensor) -> tf.Tensor:
    """Reads height and width [2], int32, of the upright image."""
    return open_image(data).size


def decode_window(image: Encoded, window: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a window of an image; of a JPEG nothing more, and no finer than needed.

    Args:
        image: what `open_image` returned.
        window: int32 [4], x y width height in the upright image.
        side: pixels that suffice for the longer side of the window.

    Returns:
        Pixels uint8 [h, w, 3], and the window int32 [4] that they show. The pixels are those that
        `decode_image` and a crop would give, except that the colours of a JPEG's outermost pixels
        may blend differently with those beyond. If the window of a JPEG has at least 2, 4 or 8
        times the pixels that suffice, each pixel is the mean of 2 x 2, 4 x 4 or 8 x 8, and the
        window is clipped and moved to whole pixels of the result, at least one each way.
    """

    def jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        # In the decoder's own steps, as it reduces blocks of 8 x 8 pixels.
        step = tf.math.count_nonzero(
            tf.reduce_max(window[2:]) >= side * tf.constant(RATIOS[1:]), dtype=tf.int32
        )
        ratio = tf.gather(RATIOS, step)
        reduced = tf.maximum(_as_stored(image, window) // ratio, [0, 0, 1, 1])
        pixels = tf.switch_case(step, [partial(_decode_stored, image, reduced, r) for r in RATIOS])
        return turn_upright(pixels, image.orientation), _as_upright(image, reduced * ratio)

    def other() -> tuple[tf.Tensor, tf.Tensor]:
        x, y, width, height = tf.unstack(window)
        return decode_image(image.data)[y : y + height, x : x + width], window

    pixels, shown = tf.cond(tf.io.is_jpeg(image.data), jpeg, other)
    return tf.ensure_shape(pixels, [None, None, 3]), tf.ensure_shape(shown, [4])


def _decode_stored(image: Encoded, window: tf.Tensor, ratio: int) -> tf.Tensor:
    """Decodes a window of a stored JPEG, both reduced by the ratio."""
    x, y, width, height = tf.unstack(window)
    return tf.image.decode_and_crop_jpeg(
        image.data,
        tf.stack([y, x, height, width]),
        channels=3,
        ratio=ratio,
        dct_method="INTEGER_ACCURATE",
    )


def _as_stored(image: Encoded, window: tf.Tensor) -> tf.Tensor:
    """Maps a window of the upright image to the stored one, the inverse of `turn_upright`."""
    return _transpose(image, _flip(image, window))


def _as_upright(image: Encoded, window: tf.Tensor) -> tf.Tensor:
    """Maps a window of the stored image to the upright one."""
    return _flip(image, _transpose(image, window))


def _flip(image: Encoded, window: tf.Tensor) -> tf.Tensor:
    height, width = tf.unstack(image.size)
    x, y, w, h = tf.unstack(window)
    x = tf.where(tf.reduce_any(image.orientation == MIRRORED), width - x - w, x)
    y = tf.where(tf.reduce_any(image.orientation == UPSIDE_DOWN), height - y - h, y)
    return tf.stack([x, y, w, h])


def _transpose(image: Encoded, window: tf.Tensor) -> tf.Tensor:
    return tf.where(image.orientation >= TRANSPOSED, tf.gather(window, [1, 0, 3, 2]), window)


def why_undecodable(path: str) -> str | None:
    """Returns why a file is not an image that can be trained on, or None if it is one."""
    try:
        data = tf.io.read_file(path)
        if is_animated_webp(data.numpy()):
            return "an animated WebP; expected a still image"
        decode_fully(data)
    except tf.errors.OpError as error:
        return one_line(error)
    return None


def find_undecodable(paths: Sequence[str]) -> list[int]:
    """Decodes all files, and returns the indices of those that cannot be decoded."""

    @tf.autograph.experimental.do_not_convert
    def decode(number: tf.Tensor, path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return number, tf.size(decode_fully(tf.io.read_file(path)))

    files = tf.data.Dataset.from_tensor_slices(tf.constant(paths, tf.string)).enumerate()
    sizes = files.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    decoded = {int(number) for number, _ in sizes.ignore_errors(log_warning=False)}
    return [number for number in range(len(paths)) if number not in decoded]
