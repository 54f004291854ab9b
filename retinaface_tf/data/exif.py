"""Reads and undoes the EXIF orientation of a JPEG, in the graph.

TensorFlow ignores the orientation, by which phones mark portraits that are stored on their side.
"""

from collections.abc import Callable

import tensorflow as tf

# EXIF is at the beginning of a file; a segment has at most 64 KiB.
HEADER_BYTES = 1 << 17
MAX_SEGMENTS = 256  # including fill bytes; garbage may have thousands
EXIF_MARKER = 0xE1
# Markers from here on are for applications and comments, or fill. Lower ones begin the image
# itself, after which Exif 2.3 (section 4.5.4) allows no EXIF.
FIRST_APPLICATION_MARKER = 0xE0
ORIENTATION_TAG = 0x0112
# Orientations from TRANSPOSED on swap rows and columns; the tuples list those that flip.
TRANSPOSED, MIRRORED, UPSIDE_DOWN = 5, (2, 3, 6, 7), (3, 4, 7, 8)

# Reads two bytes at a position, in Intel's byte order if the second argument is true.
Word = Callable[[tf.Tensor, tf.Tensor | bool], tf.Tensor]


def turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation 1..8 of an image [H, W, C]."""
    transposed = orientation >= TRANSPOSED
    image = tf.cond(transposed, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    mirrored = tf.reduce_any(orientation == MIRRORED)
    image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
    upside_down = tf.reduce_any(orientation == UPSIDE_DOWN)
    return tf.cond(upside_down, lambda: tf.reverse(image, [0]), lambda: image)


def exif_orientation(data: tf.Tensor) -> tf.Tensor:
    """Reads the EXIF orientation 1..8 of a JPEG's bytes, int32; 1 if it is missing or broken.

    Source: Exif 2.3, sections 4.5.2 (segments) and 4.6.2 (image file directory).
    """
    # Two more zeros, so that the last position has a successor; garbage must not read beyond.
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
    # The upper half of the offset is 0 in any file whose directory is within the header.
    offset = word(tiff + tf.where(little, 4, 6), little)
    directory = tiff + offset
    entries = directory + 2 + 12 * tf.range(tf.minimum(word(directory, little), 512))
    is_orientation = word(entries, little) == ORIENTATION_TAG
    value = tf.reduce_max(tf.where(is_orientation, word(entries + 8, little), 0))
    found = (segment >= 0) & (value >= 1) & (value <= 8)
    return tf.where(found, value, 1)


def _find_exif(word: Word, last: tf.Tensor) -> tf.Tensor:
    """Returns the position of the EXIF segment's marker, or -1."""

    def is_exif(position: tf.Tensor) -> tf.Tensor:
        # The letters E x i f, after marker and length.
        return (
            (word(position, False) == 0xFF00 + EXIF_MARKER)
            & (word(position + 4, False) == 0x4578)
            & (word(position + 6, False) == 0x6966)
        )

    def goes_on(position: tf.Tensor) -> tf.Tensor:
        may_lead_on = word(position, False) >= 0xFF00 + FIRST_APPLICATION_MARKER
        return (position + 10 < last) & may_lead_on & ~is_exif(position)

    def step(position: tf.Tensor) -> tuple[tf.Tensor]:
        # Any number of 0xFF bytes may come before a marker.
        is_fill = word(position, False) == 0xFFFF
        return (position + tf.where(is_fill, 1, 2 + word(position + 2, False)),)

    (end,) = tf.while_loop(goes_on, step, (tf.constant(2),), maximum_iterations=MAX_SEGMENTS)
    return tf.where((end + 10 < last) & is_exif(end), end, -1)
