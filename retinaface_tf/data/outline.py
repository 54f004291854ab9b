"""Walks through the parts of an image file, without decoding it and without TensorFlow.

The walk finds out what must be known about an untrusted file before it is decoded: its size, since
a few bytes can claim gigabytes; whether it is whole, since a truncated JPEG still decodes, with
grey where faces were; and whether it asks for absurd work, by the limits below. `data.header`
applies the same limits in graphs.
"""

import re
from dataclasses import dataclass
from enum import IntEnum

MAX_SCANS = 100  # of a JPEG; usual progressive ones have about 10
MAX_COMPRESSED_TEXTS = 16  # chunks zTXt, iTXt and iCCP of a PNG; each may unpack to 8 MB
# Blocks of a GIF up to the end of its first frame: each extension, and each sub-block that differs
# in size from the one before it or has fewer than 128 bytes. Frames are written in equal ones.
MAX_BLOCKS = 4096
REGULAR_SUB_BLOCK = 128  # bytes

COMPRESSED_TEXTS = (b"zTXt", b"iTXt", b"iCCP")
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
GIF_HEADER_BYTES = 13  # before the first block of a GIF
EXTENSION, FRAME = 0x21, 0x2C  # the blocks of a GIF
ANIMATION = 0x02  # flag of an extended WebP

_NOISE = bytes(range(7, 247, 15))
MORE_DATA = _NOISE + b"".join(bytes([0xFF, 0xD0 + i]) + _NOISE for i in range(8))
# Grey of pixels that a JPEG claims but does not hold: if it is RGB or grey, and if it is CMYK.
UNFILLED = (128, 64)

# Within a scan, 0xFF also precedes 0 (for a byte 0xFF of the data) and restart markers.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_NO_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)  # markers among those of frame headers, 0xC0 to 0xCF


class Kind(IntEnum):
    """Lists the kinds of image files."""

    UNKNOWN = 0
    JPEG = 1
    PNG = 2
    GIF = 3
    BMP = 4
    WEBP = 5


# The places and words by which each kind is recognised: one of the words at each place.
FILE_SIGNATURES: dict[Kind, dict[int, tuple[bytes, ...]]] = {
    Kind.JPEG: {0: (b"\xff\xd8\xff",)},
    Kind.PNG: {0: (b"\x89PNG\r\n\x1a\n",)},
    Kind.GIF: {0: (b"GIF87a", b"GIF89a")},
    Kind.BMP: {0: (b"BM",)},
    Kind.WEBP: {0: (b"RIFF",), 8: (b"WEBP",)},
}


@dataclass(frozen=True)
class Outline:
    """Holds the facts that the parts of an image file state.

    Attributes:
        kind: by the file's first bytes.
        height: in pixels as stored, 0 if it is not stated; for a GIF, of the canvas.
        width: in pixels as stored, 0 if it is not stated; for a GIF, of the canvas.
        is_whole: whether the end of the image is there; anything after it is ignored.
        excess: the limit that the file exceeds, in words; None if it keeps all limits.
        first_scan_end: where the data of a JPEG's first scan ends, in bytes.
    """

    kind: Kind
    height: int = 0
    width: int = 0
    is_whole: bool = True
    excess: str | None = None
    first_scan_end: int = 0


def outline(data: bytes) -> Outline:
    """Walks through the parts of an image file.

    Args:
        data: anything.
    """
    walks = {
        Kind.UNKNOWN: lambda _: Outline(Kind.UNKNOWN),
        Kind.JPEG: _outline_jpeg,
        Kind.PNG: _outline_png,
        Kind.GIF: _outline_gif,
        Kind.BMP: _outline_bmp,
        Kind.WEBP: _outline_webp,
    }
    return walks[kind_of(data)](data)


def kind_of(data: bytes) -> Kind:
    """Tells the kind of an image file from its first bytes, at least 12 if it has as many."""
    for kind, words in FILE_SIGNATURES.items():
        if all(data.startswith(options, place) for place, options in words.items()):
            return kind
    return Kind.UNKNOWN


def is_animated_webp(data: bytes) -> bool:
    """Recognises an animated WebP, which TensorFlow does not decode."""
    is_extended = data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X"
    return is_extended and bool(_little(data, 20, 1) & ANIMATION)


def with_more_data(data: bytes, end: int) -> bytes:
    """Inserts data after that of a JPEG's first scan.

    A decoder uses the inserted data for pixels that the file claims but does not hold, and skips
    the data if it has all pixels. Every restart marker is included, as it may be waiting for one.

    Args:
        data: a JPEG.
        end: where the data of its first scan ends.
    """
    return data[:end] + MORE_DATA + data[end:]


def _outline_jpeg(data: bytes) -> Outline:
    """Walks from segment to segment, over the data of scans, to the marker that ends the image.

    A thumbnail, which is a whole JPEG, is skipped with the segment that holds it.

    Source: ITU-T T.81, annex B.
    """
    place, height, width, scans, first_scan_end = 2, 0, 0, 0, 0
    while found := _MARKER.search(data, place):
        if scans and not first_scan_end:
            first_scan_end = found.start()
        marker, place = data[found.start() + 1], found.end()
        if marker == END_OF_IMAGE or scans > MAX_SCANS:
            break
        scans += marker == START_OF_SCAN
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADERS and not height:
            height, width = _big(data, place + 3, 2), _big(data, place + 5, 2)
        place += max(_big(data, place, 2), 2)
    excess = f"more than {MAX_SCANS} scans" if scans > MAX_SCANS else None
    is_whole = found is not None and scans > 0
    return Outline(Kind.JPEG, height, width, is_whole, excess, first_scan_end)


def _outline_png(data: bytes) -> Outline:
    """Walks from chunk to chunk to the chunk that ends the image.

    Source: PNG specification, 5.3 (chunk layout).
    """
    place, texts, name = 8, 0, b""
    while place + 12 <= len(data) and name != b"IEND":
        name = data[place + 4 : place + 8]
        texts += name in COMPRESSED_TEXTS
        place += 12 + _big(data, place, 4)
    is_whole = name == b"IEND" and place <= len(data)
    excess = None
    if texts > MAX_COMPRESSED_TEXTS:
        excess = f"{texts} chunks of compressed text, expected at most {MAX_COMPRESSED_TEXTS}"
    return Outline(Kind.PNG, _big(data, 20, 4), _big(data, 16, 4), is_whole, excess)


def _outline_gif(data: bytes) -> Outline:
    """Walks from block to block to the end of the first frame.

    Source: GIF89a, sections 15 (sub-blocks), 18 to 25 (the order of blocks).
    """
    height, width = _little(data, 8, 2), _little(data, 6, 2)
    place, blocks = GIF_HEADER_BYTES + _colour_table_bytes(data, 10), 0
    block, size, previous = _little(data, place, 1), -1, -1
    while block in (EXTENSION, FRAME) and blocks <= MAX_BLOCKS and place < len(data):
        if block == FRAME:
            width = max(width, _little(data, place + 5, 2))
            height = max(height, _little(data, place + 7, 2))
        place += 11 + _colour_table_bytes(data, place + 9) if block == FRAME else 2
        blocks += 1
        while size != 0 and blocks <= MAX_BLOCKS and place < len(data):
            size, previous = data[place], size
            blocks += size != previous or size < REGULAR_SUB_BLOCK
            place += 1 + size
        if block == FRAME:
            break
        block, size = _little(data, place, 1), -1
    excess = f"more than {MAX_BLOCKS} blocks" if blocks > MAX_BLOCKS else None
    return Outline(Kind.GIF, height, width, block == FRAME and size == 0, excess)


def _colour_table_bytes(data: bytes, place: int) -> int:
    flags = _little(data, place, 1)
    return 3 * 2 ** (flags % 8 + 1) if flags >= 128 else 0


def _outline_bmp(data: bytes) -> Outline:
    height = _little(data, 22, 4)
    # A negative height means that the image is stored from its top.
    return Outline(Kind.BMP, min(height, (1 << 32) - height), _little(data, 18, 4))


def _outline_webp(data: bytes) -> Outline:
    """Reads the height and width of a WebP.

    Source: RFC 9649, sections 2.5 (simple lossy), 2.6 (lossless), 2.7 (extended).
    """
    if data[15:16] == b"X":
        height, width = _little(data, 27, 3) + 1, _little(data, 24, 3) + 1
    elif data[15:16] == b"L":
        packed = _little(data, 21, 4)
        height, width = (packed >> 14) % (1 << 14) + 1, packed % (1 << 14) + 1
    else:
        height, width = _little(data, 28, 2) % (1 << 14), _little(data, 26, 2) % (1 << 14)
    return Outline(Kind.WEBP, height, width, len(data) >= 8 + _little(data, 4, 4))


def _big(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "big")


def _little(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "little")
