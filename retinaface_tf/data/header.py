"""What an encoded image says of itself before it is decoded: kind and size, in the graph.

Of a file that anybody may have sent, the size has to be known first: a few kilobytes can hold an
image of gigabytes.
"""

from enum import IntEnum

import tensorflow as tf

HEADER_BYTES = 32
# Of a GIF: bytes before its first block; its blocks; how many parts a frame may have.
GIF_HEADER = 13
EXTENSION, FRAME, TRAILER = 0x21, 0x2C, b"\x3b"
MOST_PARTS = 1 << 17


class Kind(IntEnum):
    """Kinds of image files."""

    UNKNOWN = 0
    JPEG = 1
    PNG = 2
    GIF = 3
    BMP = 4
    WEBP = 5


def image_kind(data: tf.Tensor) -> tf.Tensor:
    """Kind of a file's bytes, by the first of them, int32 scalar."""
    header = _padded(data)

    def says(place: int, *words: bytes) -> tf.Tensor:
        found = [tf.strings.substr(header, place, len(word)) == word for word in words]
        return tf.reduce_any(tf.stack(found))

    kinds = {
        Kind.JPEG: says(0, b"\xff\xd8\xff"),
        Kind.PNG: says(0, b"\x89PNG\r\n\x1a\n"),
        Kind.GIF: says(0, b"GIF87a", b"GIF89a"),
        Kind.BMP: says(0, b"BM"),
        Kind.WEBP: says(0, b"RIFF") & says(8, b"WEBP"),
    }
    return tf.reduce_max([tf.where(is_kind, int(kind), 0) for kind, is_kind in kinds.items()])


def stored_size(data: tf.Tensor) -> tf.Tensor:
    """Height and width [2], int64, of an image as it is stored, by its header alone.

    Of a GIF those of its first frame or of the whole, whichever are larger; 0 of an unknown kind.

    Raises:
        tf.errors.InvalidArgumentError: a JPEG whose header is broken.
    """
    branches = {
        Kind.UNKNOWN: lambda: tf.zeros([2], tf.int64),
        Kind.JPEG: lambda: tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64),
        Kind.PNG: lambda: _png_size(_header(data)),
        Kind.GIF: lambda: _gif_size(data),
        Kind.BMP: lambda: _bmp_size(_header(data)),
        Kind.WEBP: lambda: _webp_size(_header(data)),
    }
    return tf.switch_case(image_kind(data), {int(kind): size for kind, size in branches.items()})


def without_later_frames(data: tf.Tensor) -> tf.Tensor:
    """A GIF's bytes up to the end of its first frame; those of other kinds as they are.

    TensorFlow unpacks all frames, even if only the first is wanted.
    """

    def cut() -> tf.Tensor:
        end = _first_gif_frame(data)[1]
        return tf.strings.join([tf.strings.substr(data, 0, end), TRAILER])

    return tf.cond(image_kind(data) == int(Kind.GIF), cut, lambda: data)


def _padded(data: tf.Tensor) -> tf.Tensor:
    """The first bytes, as many as any header has, zeros where the file is shorter."""
    return tf.strings.substr(data + bytes(HEADER_BYTES), 0, HEADER_BYTES)


def _header(data: tf.Tensor) -> tf.Tensor:
    """The first bytes as numbers, int64 [HEADER_BYTES]."""
    return tf.cast(tf.io.decode_raw(_padded(data), tf.uint8), tf.int64)


def _number(values: tf.Tensor, place: int | tf.Tensor, size: int) -> tf.Tensor:
    """A number of `size` bytes, the least first, int64 scalar."""
    return tf.reduce_sum(values[place : place + size] * [256**i for i in range(size)])


def _png_size(header: tf.Tensor) -> tf.Tensor:
    # The only kind with the greatest byte first.
    return tf.stack([_number(header[end - 4 : end][::-1], 0, 4) for end in (24, 20)])


def _bmp_size(header: tf.Tensor) -> tf.Tensor:
    height, width = _number(header, 22, 4), _number(header, 18, 4)
    # A negative height is that of an image stored from its top.
    return tf.stack([tf.minimum(height, (1 << 32) - height), width])


def _webp_size(header: tf.Tensor) -> tf.Tensor:
    """Source: RFC 9649, sections 2.5 (simple lossy), 2.6 (lossless), 2.7 (extended)."""
    lossy = [_number(header, place, 2) % (1 << 14) for place in (28, 26)]
    packed = _number(header, 21, 4)
    lossless = [packed // (1 << 14) % (1 << 14) + 1, packed % (1 << 14) + 1]
    extended = [_number(header, 27, 3) + 1, _number(header, 24, 3) + 1]
    # The fourth letter of the first chunk's name: a space, L or X.
    letter = header[15]
    size = tf.where(letter == ord("L"), lossless, lossy)
    return tf.where(letter == ord("X"), extended, size)


def _gif_size(data: tf.Tensor) -> tf.Tensor:
    header = _header(data)
    whole = tf.stack([_number(header, 8, 2), _number(header, 6, 2)])
    return tf.maximum(whole, _first_gif_frame(data)[0])


def _first_gif_frame(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width [2], int64, of a GIF's first frame, and the place where it ends, int32.

    Source: GIF89a, sections 15 (blocks of data), 18 to 25 (their order).
    """
    # Zeros at the end, so that whatever is looked up is there; two of them end a frame.
    values = tf.cast(tf.io.decode_raw(data + bytes(HEADER_BYTES), tf.uint8), tf.int64)
    last = tf.size(values) - HEADER_BYTES

    def table(flags: tf.Tensor) -> tf.Tensor:
        """Bytes of the colours that flags announce."""
        size = tf.gather([6, 12, 24, 48, 96, 192, 384, 768], flags % 8)
        return tf.where(flags >= 128, size, 0)

    def goes_on(place: tf.Tensor, frame: tf.Tensor, within: tf.Tensor) -> tf.Tensor:
        byte = values[place]
        starts = (byte == EXTENSION) | (byte == FRAME)
        # A frame ends with an empty part; an extension leads on to another block.
        return (place < last) & tf.where(within, (frame < 0) | (byte > 0), starts)

    def step(
        place: tf.Tensor, frame: tf.Tensor, within: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        byte = values[place]
        part = place + 1 + tf.cast(byte, tf.int32)
        is_frame = byte == FRAME
        block = place + tf.where(is_frame, 11 + table(values[tf.minimum(place + 9, last)]), 2)
        frame = tf.where(~within & is_frame, place, frame)
        next_place = tf.minimum(tf.where(within, part, block), last)
        return next_place, frame, tf.where(within, byte > 0, True)

    start = tf.minimum(GIF_HEADER + table(values[10]), last)
    state = (start, tf.constant(-1), tf.constant(False))
    end, frame, _ = tf.while_loop(goes_on, step, state, maximum_iterations=MOST_PARTS)
    size = tf.stack([_number(values, tf.maximum(frame, 0) + place, 2) for place in (7, 5)])
    return tf.where(frame >= 0, size, 0), tf.minimum(end + 1, last)
