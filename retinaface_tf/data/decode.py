"""Encoded images to upright RGB pixels, in the graph, for training, evaluation and export alike.

TensorFlow ignores the EXIF orientation of a JPEG, with which phones store portraits lying on
their side, so it is read and applied here.
"""

from collections.abc import Callable

import tensorflow as tf

# EXIF stands at the beginning of a file; a segment is at most 64 KiB.
HEADER_BYTES = 1 << 17
MOST_SEGMENTS = 256  # and bytes of filling; garbage may have thousands
EXIF_MARKER, SCAN_MARKER = 0xE1, 0xDA
ORIENTATION_TAG = 0x0112

# Reads the two bytes at a position, in Intel's byte order if so asked.
Word = Callable[[tf.Tensor, tf.Tensor | bool], tf.Tensor]


def decode_image(data: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG, PNG, BMP or GIF (first frame).

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


def why_undecodable(path: str) -> str | None:
    """Why a file is no image, in TensorFlow's words, or None if it is one."""
    try:
        decode_image(tf.io.read_file(path))
    except tf.errors.OpError as error:
        return str(error.message).splitlines()[0][:120]
    return None


def turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation 1..8 of an image [H, W, C]."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    mirrored = tf.reduce_any(orientation == [2, 3, 6, 7])
    image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
    upside_down = tf.reduce_any(orientation == [3, 4, 7, 8])
    return tf.cond(upside_down, lambda: tf.reverse(image, [0]), lambda: image)


def exif_orientation(data: tf.Tensor) -> tf.Tensor:
    """EXIF orientation 1..8 of a JPEG's bytes, int32; 1 where there is none or it is broken.

    Source: Exif 2.3, sections 4.5.2 (segments) and 4.6.2 (image file directory).
    """
    header = tf.io.decode_raw(tf.strings.substr(data, 0, HEADER_BYTES), tf.uint8)
    # Two zeros more, so that the last position has a successor; garbage must not read beyond.
    header = tf.cast(tf.pad(header, [[0, 2]]), tf.int32)
    last = tf.size(header) - 2

    def word(position: tf.Tensor, little: tf.Tensor | bool) -> tf.Tensor:
        position = tf.clip_by_value(position, 0, last)
        first, second = tf.gather(header, position), tf.gather(header, position + 1)
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
        marker = word(position, False)
        is_segment = (marker > 0xFF00) & (marker != 0xFF00 + SCAN_MARKER)
        return (position + 10 < last) & is_segment & ~is_exif(position)

    def step(position: tf.Tensor) -> tuple[tf.Tensor]:
        # Any number of bytes 0xFF may fill the room before a marker.
        is_fill = word(position, False) == 0xFFFF
        return (position + tf.where(is_fill, 1, 2 + word(position + 2, False)),)

    (end,) = tf.while_loop(goes_on, step, (tf.constant(2),), maximum_iterations=MOST_SEGMENTS)
    return tf.where((end + 10 < last) & is_exif(end), end, -1)
