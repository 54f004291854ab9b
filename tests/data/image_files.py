"""Small image files of every kind, with any EXIF segment."""

import io
import struct

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 30, 43
START_OF_IMAGE = b"\xff\xd8"
ORIENTATION, SHORT = 0x0112, 3


def photo() -> np.ndarray:
    """Smooth colours without any symmetry."""
    few = np.random.default_rng(5).integers(0, 256, (5, 6, 3), np.uint8)
    return cv2.resize(few, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(*segments: bytes, mode: str = "RGB", **options) -> bytes:
    """A JPEG with these segments, which come first if there are any."""
    file = encode(Image.fromarray(photo()).convert(mode), "JPEG", quality=92, **options)
    return START_OF_IMAGE + b"".join(segments) + file[2:]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def tiff(orientation: int, order: str, *, tag: int = ORIENTATION, before: int = 0) -> bytes:
    """EXIF's directory with the entry `tag` behind `before` others; order is `<` or `>`."""
    entries = [(0x0100 + i, 5) for i in range(before)] + [(tag, orientation)]
    words = (struct.pack(order + "HHIHH", t, SHORT, 1, value, 0) for t, value in entries)
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    return start + struct.pack(order + "H", len(entries)) + b"".join(words) + bytes(4)


def exif(orientation: int, order: str = ">", **options) -> bytes:
    return segment(0xE1, b"Exif\0\0" + tiff(orientation, order, **options))


def without_adobe(data: bytes) -> bytes:
    """A JPEG without Adobe's segment, which says what its colours are."""
    start = data.index(b"\xff\xee")
    (length,) = struct.unpack(">H", data[start + 2 : start + 4])
    return data[:start] + data[start + 2 + length :]
