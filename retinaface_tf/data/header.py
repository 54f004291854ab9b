"""Reads the kind and size of an encoded image from its header, in the graph, before decoding.

Files may come from anybody, and a few kilobytes can hold an image of gigabytes, so the size has to
be known first.
"""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.gif import find_first_frame
from retinaface_tf.data.outline import (
    COMPRESSED_TEXTS,
    FILE_SIGNATURES,
    MAX_COMPRESSED_TEXTS,
    MAX_SCANS,
    Kind,
)
from retinaface_tf.data.segments import count_scans

HEADER_BYTES = 32
TRAILER = b"\x3b"  # the end of a GIF


class Header(NamedTuple):
    """Holds the facts that a header states."""

    size: tf.Tensor  # int64 [2], height and width as stored; of a GIF, those of frame or canvas
    first_frame: tf.Tensor  # string scalar, the bytes to decode
    is_excessive: tf.Tensor  # bool scalar, whether the file exceeds a limit of `data.outline`


def image_kind(data: tf.Tensor) -> tf.Tensor:
    """Returns the `Kind` of a file from its first bytes, int32 scalar."""
    start = _first_bytes(data)

    def has(place: int, options: tuple[bytes, ...]) -> tf.Tensor:
        found = [tf.strings.substr(start, place, len(word)) == word for word in options]
        return tf.reduce_any(tf.stack(found))

    kinds = [
        tf.where(tf.reduce_all(tf.stack([has(*each) for each in words.items()])), int(kind), 0)
        for kind, words in FILE_SIGNATURES.items()
    ]
    return tf.reduce_max(kinds)


def read_header(data: tf.Tensor, kind: tf.Tensor) -> Header:
    """Reads the header of an image.

    Args:
        data: string scalar, the file's bytes.
        kind: what `image_kind` returned for them.

    Returns:
        The size: for a GIF the larger of canvas and first frame in each direction, for an unknown
        kind 0 x 0. The bytes to decode: a GIF's up to the end of its first frame, since TensorFlow
        unpacks all frames even if only the first is wanted, and a BMP's up to its last row, since
        TensorFlow refuses more. And whether the file asks for absurd work: a JPEG with more than
        MAX_SCANS scans, a PNG with more than MAX_COMPRESSED_TEXTS chunks of compressed text, or a
        GIF with more than MAX_BLOCKS blocks up to the end of its first frame. The walk stops at
        these limits.

    Raises:
        tf.errors.InvalidArgumentError: the header of a JPEG is broken.
    """

    def jpeg() -> Header:
        size = tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64)
        return Header(size, data, count_scans(data, MAX_SCANS) > MAX_SCANS)

    def png() -> Header:
        texts = [_count_word(data, word, MAX_COMPRESSED_TEXTS) for word in COMPRESSED_TEXTS]
        is_excessive = tf.add_n(texts) > MAX_COMPRESSED_TEXTS
        return Header(_png_size(_header_values(data)), data, is_excessive)

    def plain(size: tf.Tensor) -> Header:
        return Header(size, data, tf.constant(False))

    branches = {
        Kind.UNKNOWN: lambda: plain(tf.zeros([2], tf.int64)),
        Kind.JPEG: jpeg,
        Kind.PNG: png,
        Kind.GIF: lambda: _read_gif(data),
        Kind.BMP: lambda: _read_bmp(data),
        Kind.WEBP: lambda: plain(_webp_size(_header_values(data))),
    }
    return tf.switch_case(kind, {int(kind): read for kind, read in branches.items()})


def _count_word(data: tf.Tensor, word: bytes, limit: int) -> tf.Tensor:
    """Counts a word in a file's bytes, up to a little more than a limit, int32 scalar."""
    return tf.size(tf.strings.split(data, word, maxsplit=limit + 1)) - 1


def _first_bytes(data: tf.Tensor) -> tf.Tensor:
    """Returns as many bytes as any header has, with zeros if the file is shorter."""
    return tf.strings.substr(data + bytes(HEADER_BYTES), 0, HEADER_BYTES)


def _header_values(data: tf.Tensor) -> tf.Tensor:
    """Returns the first bytes as numbers, int64 [HEADER_BYTES]."""
    return tf.cast(tf.io.decode_raw(_first_bytes(data), tf.uint8), tf.int64)


def _number(values: tf.Tensor, place: int | tf.Tensor, size: int) -> tf.Tensor:
    """Reads a number of `size` bytes, the least significant first, int64 scalar."""
    return tf.reduce_sum(values[place : place + size] * [256**i for i in range(size)])


def _png_size(header: tf.Tensor) -> tf.Tensor:
    # Only PNG has the most significant byte first.
    return tf.stack([_number(header[end - 4 : end][::-1], 0, 4) for end in (24, 20)])


def _read_bmp(data: tf.Tensor) -> Header:
    header = _header_values(data)
    height, width = _number(header, 22, 4), _number(header, 18, 4)
    # A negative height means that the image is stored from its top.
    height = tf.minimum(height, (1 << 32) - height)
    length = tf.cast(tf.strings.length(data), tf.int64)
    row = (_number(header, 28, 2) // 8 * width + 3) // 4 * 4
    # In a whole file neither is longer than the file; in others the product might overflow.
    pixels = tf.minimum(row, length) * tf.minimum(height, length)
    end = tf.minimum(_number(header, 10, 4) + pixels, length)
    rows = tf.strings.substr(data, 0, tf.cast(end, tf.int32))
    return Header(tf.stack([height, width]), rows, tf.constant(False))


def _webp_size(header: tf.Tensor) -> tf.Tensor:
    """Reads the height and width of a WebP.

    Source: RFC 9649, sections 2.5 (simple lossy), 2.6 (lossless), 2.7 (extended).
    """
    lossy = [_number(header, place, 2) % (1 << 14) for place in (28, 26)]
    packed = _number(header, 21, 4)
    lossless = [packed // (1 << 14) % (1 << 14) + 1, packed % (1 << 14) + 1]
    extended = [_number(header, 27, 3) + 1, _number(header, 24, 3) + 1]
    # The fourth letter of the first chunk's name: a space, L or X.
    letter = header[15]
    size = tf.where(letter == ord("L"), lossless, lossy)
    return tf.where(letter == ord("X"), extended, size)


def _read_gif(data: tf.Tensor) -> Header:
    header = _header_values(data)
    canvas = tf.stack([_number(header, 8, 2), _number(header, 6, 2)])
    frame = find_first_frame(data)
    first_frame = tf.strings.join([tf.strings.substr(data, 0, frame.end), TRAILER])
    return Header(tf.maximum(canvas, frame.size), first_frame, frame.is_excessive)
