"""An exported model with made-up weights, and files to send it."""

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from retinaface_tf.config import Config, DetectorConfig, ExportConfig, ModelConfig
from retinaface_tf.export.savedmodel import export_saved_model
from retinaface_tf.model.detector import Detector
from retinaface_tf.model.network import build_network
from retinaface_tf.runtimes.saved_model import ExportedDetector

SIDE = 96  # of what detect_resized sees


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG of few bytes that claims to be, and is, of that many black pixels."""

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
    """Smooth colours, 101 x 75 pixels."""
    few = np.random.default_rng(3).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(cv2.resize(few, (101, 75), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="session")
def kinds(photo) -> dict[str, bytes]:
    """One file of each kind that is answered, of several sizes."""
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


@pytest.fixture(scope="session")
def served_config(drawn) -> Config:
    config = Config()
    return replace(
        config,
        data=replace(config.data, root=str(drawn)),
        model=ModelConfig(backbone="mobilenet025"),
        detector=DetectorConfig(max_detections=100),
        export=ExportConfig(resized_side=SIDE, parity_images=2),
    )


@pytest.fixture(scope="session")
def detector(served_config, with_made_up_weights) -> Detector:
    return Detector(with_made_up_weights(build_network(served_config)), served_config)


@pytest.fixture(scope="session")
def version(detector, tmp_path_factory) -> Path:
    """The folder of an exported model's first version."""
    models = tmp_path_factory.mktemp("models") / "retinaface"
    return export_saved_model(detector, models, source="made-up weights")


@pytest.fixture(scope="session")
def exported(version) -> ExportedDetector:
    return ExportedDetector(version)
