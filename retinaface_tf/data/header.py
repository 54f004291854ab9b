"""Reads kind and size of an encoded image from its header, in the graph, before it is decoded.

The size of a file that anybody may have sent has to be known first: a few kilobytes can hold an
image of gigabytes.
"""

from enum import IntEnum
from typing import NamedTuple

import tensorflow as tf

HEADER_BYTES = 32
GIF_HEADER_BYTES = 13  # before the first block of a GIF
EXTENSION, FRAME, TRAILER = 0x21, 0x2C, b"\x3b"  # the blocks of a GIF
MAX_SUB_BLOCKS = 1 << 17  # of a GIF's first frame and what stands before it


class Kind(IntEnum):
    """Kinds of image files."""

    UNKNOWN = 0
    JPEG = 1
    PNG = 2
    GIF = 3
    BMP = 4
    WEBP = 5


class Header(NamedTuple):
    """The facts that a header states."""

    size: tf.Tensor  # int64 [2], height and width as stored; those of GIFs: of frame or canvas
    first_frame: tf.Tensor  # string scalar, the bytes to decode: a GIF without its later frames


def image_kind(data: tf.Tensor) -> tf.Tensor:
    """Returns the `Kind` of a file's bytes, by the first of them, int32 scalar."""
    start = _first_bytes(data)

    def has(place: int, *words: bytes) -> tf.Tensor:
        found = [tf.strings.substr(start, place, len(word)) == word for word in words]
        return tf.reduce_any(tf.stack(found))

    kinds = {
        Kind.JPEG: has(0, b"\xff\xd8\xff"),
        Kind.PNG: has(0, b"\x89PNG\r\n\x1a\n"),
        Kind.GIF: has(0, b"GIF87a", b"GIF89a"),
        Kind.BMP: has(0, b"BM"),
        Kind.WEBP: has(0, b"RIFF") & has(8, b"WEBP"),
    }
    return tf.reduce_max([tf.where(is_kind, int(kind), 0) for kind, is_kind in kinds.items()])


def read_header(data: tf.Tensor, kind: tf.Tensor) -> Header:
    """Reads the header of an image.

    Args:
        data: string scalar, the file's bytes.
        kind: what `image_kind` returned for them.

    Returns:
        The size, which for a GIF is the larger of canvas and first frame in each direction, and
        0 x 0 for an unknown kind; and the bytes to decode, which for a GIF end with its first
        frame, since TensorFlow unpacks all frames even where only the first is wanted.

    Raises:
        tf.errors.InvalidArgumentError: a JPEG whose header is broken.
    """

    def jpeg() -> Header:
        return Header(tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64), data)

    branches = {
        Kind.UNKNOWN: lambda: Header(tf.zeros([2], tf.int64), data),
        Kind.JPEG: jpeg,
        Kind.PNG: lambda: Header(_png_size(_header_values(data)), data),
        Kind.GIF: lambda: _read_gif(data),
        Kind.BMP: lambda: Header(_bmp_size(_header_values(data)), data),
        Kind.WEBP: lambda: Header(_webp_size(_header_values(data)), data),
    }
    return tf.switch_case(kind, {int(kind): read for kind, read in branches.items()})


def _first_bytes(data: tf.Tensor) -> tf.Tensor:
    """Returns as many bytes as any header has, zeros where the file is shorter."""
    return tf.strings.substr(data + bytes(HEADER_BYTES), 0, HEADER_BYTES)


def _header_values(data: tf.Tensor) -> tf.Tensor:
    """Returns the first bytes as numbers, int64 [HEADER_BYTES]."""
    return tf.cast(tf.io.decode_raw(_first_bytes(data), tf.uint8), tf.int64)


def _number(values: tf.Tensor, place: int | tf.Tensor, size: int) -> tf.Tensor:
    """Reads a number of `size` bytes, the least significant first, int64 scalar."""
    return tf.reduce_sum(values[place : place + size] * [256**i for i in range(size)])


def _png_size(header: tf.Tensor) -> tf.Tensor:
    # PNG alone has the most significant byte first.
    return tf.stack([_number(header[end - 4 : end][::-1], 0, 4) for end in (24, 20)])


def _bmp_size(header: tf.Tensor) -> tf.Tensor:
    height, width = _number(header, 22, 4), _number(header, 18, 4)
    # A negative height is that of an image stored from its top.
    return tf.stack([tf.minimum(height, (1 << 32) - height), width])


def _webp_size(header: tf.Tensor) -> tf.Tensor:
    """Reads height and width of a WebP.

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
    frame, end = _find_first_frame(data)
    first_frame = tf.strings.join([tf.strings.substr(data, 0, end), TRAILER])
    return Header(tf.maximum(canvas, frame), first_frame)


def _find_first_frame(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the first frame of a GIF.

    Source: GIF89a, sections 15 (sub-blocks), 18 to 25 (the order of blocks).

    Returns:
        Height and width of the frame, int64 [2], 0 where there is none; and the place where it
        ends, int32.
    """
    # Zeros at the end, so that whatever is looked up is there; two of them end a frame.
    values = tf.cast(tf.io.decode_raw(data + bytes(HEADER_BYTES), tf.uint8), tf.int64)
    last = tf.size(values) - HEADER_BYTES

    def goes_on(place: tf.Tensor, frame: tf.Tensor, in_block: tf.Tensor) -> tf.Tensor:
        byte = values[place]
        starts_block = (byte == EXTENSION) | (byte == FRAME)
        # A frame ends with an empty sub-block; an extension leads on to another block.
        return (place < last) & tf.where(in_block, (frame < 0) | (byte > 0), starts_block)

    def step(place: tf.Tensor, frame: tf.Tensor, in_block: tf.Tensor) -> tuple[tf.Tensor, ...]:
        next_place = tf.where(
            in_block,
            place + 1 + tf.cast(values[place], tf.int32),  # behind a sub-block
            _end_of_block_header(values, place, last),
        )
        frame = tf.where(~in_block & (values[place] == FRAME), place, frame)
        in_block = tf.where(in_block, values[place] > 0, True)
        return tf.minimum(next_place, last), frame, in_block

    start = tf.minimum(GIF_HEADER_BYTES + _colour_table_bytes(values[10]), last)
    state = (start, tf.constant(-1), tf.constant(False))
    end, frame, _ = tf.while_loop(goes_on, step, state, maximum_iterations=MAX_SUB_BLOCKS)
    size = tf.stack([_number(values, tf.maximum(frame, 0) + place, 2) for place in (7, 5)])
    return tf.where(frame >= 0, size, 0), tf.minimum(end + 1, last)


def _end_of_block_header(values: tf.Tensor, place: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Returns where the sub-blocks begin of an extension or a frame at `place`, int32."""
    colours = _colour_table_bytes(values[tf.minimum(place + 9, last)])
    return place + tf.where(values[place] == FRAME, 11 + colours, 2)


def _colour_table_bytes(flags: tf.Tensor) -> tf.Tensor:
    """Returns the size of the colour table that a GIF's flags announce, int32."""
    size = tf.gather([6, 12, 24, 48, 96, 192, 384, 768], flags % 8)
    return tf.where(flags >= 128, size, 0)
