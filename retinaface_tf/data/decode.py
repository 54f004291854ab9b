"""Encoded images to upright RGB pixels, in the graph, for training, evaluation and export alike.

TensorFlow ignores the EXIF orientation of a JPEG, with which phones store portraits lying on
their side, so it is read and applied here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import tensorflow as tf

# EXIF stands at the beginning of a file; a segment is at most 64 KiB.
HEADER_BYTES = 1 << 17
MOST_SEGMENTS = 256  # and bytes of filling; garbage may have thousands
EXIF_MARKER = 0xE1
# Markers from here on are of applications and comments, or fill; below begins the image itself,
# behind which Exif 2.3 (section 4.5.4) allows no EXIF.
FIRST_APPLICATION_MARKER = 0xE0
ORIENTATION_TAG = 0x0112
# What the orientations are made of; from the first of these on all are transposed.
TRANSPOSED, MIRRORED, UPSIDE_DOWN = 5, (2, 3, 6, 7), (3, 4, 7, 8)
RATIOS = (1, 2, 4, 8)  # by which a JPEG can be reduced while it is decoded

# Reads the two bytes at a position, in Intel's byte order if so asked.
Word = Callable[[tf.Tensor, tf.Tensor | bool], tf.Tensor]


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def decode_image(data: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG, PNG, BMP, WebP or GIF (first frame).

    Args:
        data: string scalar, the file's bytes.

    Returns:
        uint8 [H, W, 3], RGB, turned upright by the EXIF orientation of a JPEG.
    """
    image = tf.cond(
        tf.io.is_jpeg(data),
        # The accurate transform is as fast and equals what OpenCV and PIL decode.
        lambda: turn_upright(
            tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
            exif_orientation(data),
        ),
        lambda: tf.io.decode_image(data, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


class Encoded(NamedTuple):
    """An image's bytes and what they tell before they are decoded."""

    data: tf.Tensor  # string scalar
    orientation: tf.Tensor  # int32 scalar, EXIF's 1..8
    size: tf.Tensor  # int32 [2], height and width of the upright image


def open_image(data: tf.Tensor) -> Encoded:
    """Reads the header of a JPEG; other kinds have to be decoded for their size."""

    def jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        orientation = exif_orientation(data)
        size = tf.image.extract_jpeg_shape(data)[:2]
        return orientation, tf.cond(orientation >= TRANSPOSED, lambda: size[::-1], lambda: size)

    def other() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.constant(1), tf.shape(decode_image(data))[:2]

    return Encoded(data, *tf.cond(tf.io.is_jpeg(data), jpeg, other))


def decode_window(image: Encoded, window: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes part of an image; of a JPEG nothing else, and no finer than is asked for.

    Args:
        image: what `open_image` returned.
        window: int32 [4], x y width height in the upright image.
        side: pixels that suffice for the longer side of the window.

    Returns:
        Pixels uint8 [h, w, 3], as `decode_image` and a crop would give them, but that in a JPEG the
        colours of the outermost may be blended otherwise with those beyond; where the window has 2,
        4 or 8 times as many as suffice, or more, each is the mean of so many. And the window int32
        [4] that they show: that asked for, but cut and moved to whole pixels of the result.
    """

    def jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        # In the decoder's own steps, by which it reduces a block of 8 x 8 pixels.
        step = tf.math.count_nonzero(
            tf.reduce_max(window[2:]) >= side * tf.constant(RATIOS[1:]), dtype=tf.int32
        )
        ratio = tf.gather(RATIOS, step)
        reduced = _as_stored(image, window) // ratio
        pixels = tf.switch_case(step, [partial(_decode_stored, image, reduced, r) for r in RATIOS])
        return turn_upright(pixels, image.orientation), _as_upright(image, reduced * ratio)

    def other() -> tuple[tf.Tensor, tf.Tensor]:
        x, y, width, height = tf.unstack(window)
        return decode_image(image.data)[y : y + height, x : x + width], window

    pixels, shown = tf.cond(tf.io.is_jpeg(image.data), jpeg, other)
    return tf.ensure_shape(pixels, [None, None, 3]), tf.ensure_shape(shown, [4])


def _decode_stored(image: Encoded, window: tf.Tensor, ratio: int) -> tf.Tensor:
    """Pixels of a window of the stored image, both reduced by the ratio."""
    x, y, width, height = tf.unstack(window)
    return tf.image.decode_and_crop_jpeg(
        image.data,
        tf.stack([y, x, height, width]),
        channels=3,
        ratio=ratio,
        dct_method="INTEGER_ACCURATE",
    )


def _as_stored(image: Encoded, window: tf.Tensor) -> tf.Tensor:
    """Where a window of the upright image is in the stored one: `turn_upright` backwards."""
    return _transpose(image, _flip(image, window))


def _as_upright(image: Encoded, window: tf.Tensor) -> tf.Tensor:
    """Where a window of the stored image is in the upright one."""
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
    """Why a file is no image, in TensorFlow's words, or None if it is one."""
    try:
        decode_image(tf.io.read_file(path))
    except tf.errors.OpError as error:
        return one_line(error)
    return None


def find_undecodable(paths: Sequence[str]) -> list[int]:
    """Numbers of the files that cannot be decoded; decodes them all."""
    files = tf.data.Dataset.from_tensor_slices(tf.constant(paths, tf.string)).enumerate()
    sizes = files.map(
        lambda number, path: (number, tf.size(decode_image(tf.io.read_file(path)))),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    decoded = {int(number) for number, _ in sizes.ignore_errors(log_warning=False)}
    return [number for number in range(len(paths)) if number not in decoded]


def turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation 1..8 of an image [H, W, C]."""
    transposed = orientation >= TRANSPOSED
    image = tf.cond(transposed, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    mirrored = tf.reduce_any(orientation == MIRRORED)
    image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
    upside_down = tf.reduce_any(orientation == UPSIDE_DOWN)
    return tf.cond(upside_down, lambda: tf.reverse(image, [0]), lambda: image)


def exif_orientation(data: tf.Tensor) -> tf.Tensor:
    """EXIF orientation 1..8 of a JPEG's bytes, int32; 1 where there is none or it is broken.

    Source: Exif 2.3, sections 4.5.2 (segments) and 4.6.2 (image file directory).
    """
    # Two zeros more, so that the last position has a successor; garbage must not read beyond.
    header = tf.strings.join([tf.strings.substr(data, 0, HEADER_BYTES), b"\0\0"])
    header = tf.io.decode_raw(header, tf.uint8)
    last = tf.size(header) - 2

    def word(position: tf.Tensor, little: tf.Tensor | bool) -> tf.Tensor:
        position = tf.clip_by_value(position, 0, last)
        first, second = (
            tf.cast(tf.gather(header, place), tf.int32) for place in (position, position + 1)
        )
        return tf.where(little, second * 256 + first, first * 256 + second)

    segment = _find_exif(word, last)
    tiff = segment + 10
    little = word(tiff, False) == 0x4949  # "II", Intel's byte order
    # The offset's upper half is 0 in any file whose directory lies within the header.
    offset = word(tiff + tf.where(little, 4, 6), little)
    directory = tiff + offset
    entries = directory + 2 + 12 * tf.range(tf.minimum(word(directory, little), 512))
    is_orientation = word(entries, little) == ORIENTATION_TAG
    value = tf.reduce_max(tf.where(is_orientation, word(entries + 8, little), 0))
    found = (segment >= 0) & (value >= 1) & (value <= 8)
    return tf.where(found, value, 1)


def _find_exif(word: Word, last: tf.Tensor) -> tf.Tensor:
    """Position of the EXIF segment's marker, or -1."""

    def is_exif(position: tf.Tensor) -> tf.Tensor:
        # The letters E x i f after marker and length.
        return (
            (word(position, False) == 0xFF00 + EXIF_MARKER)
            & (word(position + 4, False) == 0x4578)
            & (word(position + 6, False) == 0x6966)
        )

    def goes_on(position: tf.Tensor) -> tf.Tensor:
        may_lead_on = word(position, False) >= 0xFF00 + FIRST_APPLICATION_MARKER
        return (position + 10 < last) & may_lead_on & ~is_exif(position)

    def step(position: tf.Tensor) -> tuple[tf.Tensor]:
        # Any number of bytes 0xFF may fill the room before a marker.
        is_fill = word(position, False) == 0xFFFF
        return (position + tf.where(is_fill, 1, 2 + word(position + 2, False)),)

    (end,) = tf.while_loop(goes_on, step, (tf.constant(2),), maximum_iterations=MOST_SEGMENTS)
    return tf.where((end + 10 < last) & is_exif(end), end, -1)
