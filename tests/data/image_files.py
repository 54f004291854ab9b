"""Small image files of every kind, with any EXIF segment."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 30, 43
START_OF_IMAGE = b"\xff\xd8"
ORIENTATION, SHORT = 0x0112, 3


def photo() -> np.ndarray:
    """Returns smooth colours without any symmetry."""
    few = np.random.default_rng(5).integers(0, 256, (5, 6, 3), np.uint8)
    return cv2.resize(few, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(*segments: bytes, mode: str = "RGB", **options) -> bytes:
    """Returns a JPEG with these segments, which come first if there are any."""
    file = encode(Image.fromarray(photo()).convert(mode), "JPEG", quality=92, **options)
    return START_OF_IMAGE + b"".join(segments) + file[2:]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def tiff(orientation: int, order: str, *, tag: int = ORIENTATION, before: int = 0) -> bytes:
    """Returns EXIF's directory with the entry `tag` behind `before` others; order is `<` or `>`."""
    entries = [(0x0100 + i, 5) for i in range(before)] + [(tag, orientation)]
    words = (struct.pack(order + "HHIHH", t, SHORT, 1, value, 0) for t, value in entries)
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    return start + struct.pack(order + "H", len(entries)) + b"".join(words) + bytes(4)


def exif(orientation: int, order: str = ">", **options) -> bytes:
    return segment(0xE1, b"Exif\0\0" + tiff(orientation, order, **options))


END = b"\xff\xd9"
SCAN = segment(0xDA, b"\1\1\0\0\x3f\0")


def without_adobe(data: bytes) -> bytes:
    """Returns a JPEG without Adobe's segment, which says what its colours are."""
    start = data.index(b"\xff\xee")
    (length,) = struct.unpack(">H", data[start + 2 : start + 4])
    return data[:start] + data[start + 2 + length :]


def png() -> bytes:
    return encode(Image.fromarray(photo()), "PNG")


def gif(**options) -> bytes:
    return encode(Image.fromarray(photo()).convert("P"), "GIF", **options)


def two_frames(kind: str) -> bytes:
    first, second = (Image.fromarray(image) for image in (photo(), 255 - photo()))
    return encode(first, kind, save_all=True, append_images=[second])


def with_chunks(name: bytes, count: int) -> bytes:
    """Returns a PNG with chunks behind its header."""
    content = b"k\0\0" + zlib.compress(bytes(9))
    checksum = struct.pack(">I", zlib.crc32(name + content))
    chunk = struct.pack(">I", len(content)) + name + content + checksum
    return png()[:33] + chunk * count + png()[33:]


def with_extensions(count: int, sub_block: bytes = b"") -> bytes:
    """Returns a GIF with extensions of one sub-block each, or of none, before its frame."""
    extension = b"\x21\xfe" + (bytes([len(sub_block)]) + sub_block if sub_block else b"") + b"\0"
    start = 13 + 3 * 2 ** (gif()[10] % 8 + 1)  # behind the colours
    return gif()[:start] + extension * count + gif()[start:]


def with_scans(count: int) -> bytes:
    return jpeg()[:-2] + SCAN * (count - 1) + END


def claiming(data: bytes, height: int) -> bytes:
    """Returns a JPEG whose header states another height."""
    places = [data.find(bytes([0xFF, marker])) for marker in (0xC0, 0xC1, 0xC2)]
    place = min(place for place in places if place >= 0) + 5
    return data[:place] + struct.pack(">H", height) + data[place + 2 :]
