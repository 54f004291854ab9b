from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.detect.frames import Frame
from retinaface_tf.detect.sources import Source
from retinaface_tf.detections import Detections

POINTS = np.array([[44, 44], [56, 44], [50, 50], [46, 58], [54, 58]], np.float32)


@pytest.fixture
def video(tmp_path) -> Path:
    """Writes 12 frames of 64 x 48 at 10 a second, each a grey of its own: 20, 30, ... 130."""
    file = tmp_path / "videos/clip.avi"
    file.parent.mkdir()
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(12):
        writer.write(np.full((48, 64, 3), 20 + 10 * i, np.uint8))
    writer.release()
    return file


@pytest.fixture
def face() -> Detections:
    """Returns a face of 20 x 20 pixels in the middle of the image below."""
    return Detections(
        np.array([[40, 40, 60, 60]], np.float32), np.array([0.875], np.float32), POINTS[None]
    )


@pytest.fixture
def frame() -> Frame:
    """Returns an image of noise, 100 x 100."""
    noise = np.random.default_rng(1).integers(0, 256, (100, 100, 3), np.uint8)
    return Frame(Source("dir/a.png", "image", Path("a.png.jpg")), None, None, 25.0, noise)
