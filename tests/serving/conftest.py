"""Image files to send to an exported model."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_of(width: int, height: int) -> bytes:
    """Returns a PNG of few bytes that claims to be, and is, of that many black pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """Returns smooth colours, 101 x 75 pixels."""
    few = np.random.default_rng(3).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(cv2.resize(few, (101, 75), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="session")
def kinds(photo) -> dict[str, bytes]:
    """Returns one file of each kind that is answered, of several sizes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    small = photo.resize((64, 80))
    deep = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    return {
        "JPEG": encode(photo, "JPEG", quality=92),
        "JPEG on its side": encode(photo, "JPEG", exif=exif),
        "JPEG, grey": encode(photo.convert("L"), "JPEG"),
        "JPEG, CMYK": encode(photo.convert("CMYK"), "JPEG"),
        "PNG": encode(small, "PNG"),
        "PNG with alpha": encode(small.convert("RGBA"), "PNG"),
        "PNG with a palette": encode(small.convert("P"), "PNG"),
        "PNG, 16 bit": encode(Image.fromarray(deep), "PNG"),
        "BMP": encode(small, "BMP"),
        "GIF of two frames": encode(
            photo.convert("P"), "GIF", save_all=True, append_images=[photo.rotate(180).convert("P")]
        ),
        "WebP": encode(photo, "WEBP", quality=90),
        "WebP without loss": encode(small, "WEBP", lossless=True),
    }
