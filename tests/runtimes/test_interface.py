"""What every detector offers, on one that finds a face for each bright pixel of the first row."""

import cv2
import numpy as np
import pytest

from retinaface_tf.config import Config, DetectorConfig
from retinaface_tf.errors import InputError
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.structures import DetectionBatch

LARGEST = 64  # pixels of a side, from which on an image is refused


class FirstRow(Detector):
    """Answers with the brightness of the first row as scores, best first; remembers batches."""

    def __init__(self):
        self.config = Config(detector=DetectorConfig(max_pixels=4_000_000))
        self.source = "made up"
        self.batches = []

    def __call__(self, images, scale=1.0, *, score_threshold=None, nms_iou=None):
        self.batches.append(len(images))
        if images.shape[2] > LARGEST:
            raise InputError("too large")
        scores = np.sort(images[:, 0, :, 0] / np.float32(255))[:, ::-1]
        rows = [*scores.shape]
        return DetectionBatch(
            boxes=np.zeros([*rows, 4], np.float32),
            scores=scores,
            landmarks=np.zeros([*rows, 5, 2], np.float32),
            num_detections=np.count_nonzero(scores, axis=1),
        )


def image(*brightness, height=2):
    """Returns an image whose first row is so bright."""
    pixels = np.zeros((height, len(brightness), 3), np.uint8)
    pixels[0] = np.array(brightness)[:, None]
    return pixels


@pytest.fixture
def detector():
    return FirstRow()


def test_faces_have_at_least_the_score_asked_for(detector):
    pixels = image(255, 51, 204, 0)
    assert (detector.detect(pixels).scores * 255).round().tolist() == [255, 204]
    assert detector.detect(pixels, score_threshold=0.9).scores.tolist() == [1]
    assert len(detector.detect(pixels, score_threshold=0)) == 3


def test_neighbours_of_one_size_are_detected_together_in_order(detector):
    wide, tall = image(255, 255), image(255, height=3)
    images = [wide, wide, wide, tall, wide]
    counts = [len(faces) for faces in detector.detect_batch(iter(images), batch_size=2)]
    assert counts == [2, 2, 2, 1, 2]
    assert detector.batches == [2, 1, 1, 1]


def test_no_more_is_read_ahead_than_a_batch(detector):
    taken = []

    def images():
        for i in range(4):
            taken.append(i)
            yield image(255)

    next(detector.detect_batch(images(), batch_size=2))
    assert taken == [0, 1]


def test_an_image_that_cannot_be_looked_at_carries_the_reason_and_the_rest_goes_on(
    detector, tmp_path
):
    (tmp_path / "b.jpg").write_bytes(b"garbage")
    large = np.zeros((1, LARGEST + 1, 3), np.uint8)
    images = [image(255), tmp_path / "b.jpg", np.zeros((0, 0, 3), np.uint8), large, image(255)]
    faces = list(detector.detect_batch(images))
    assert [found.error is None for found in faces] == [True, False, False, False, True]
    assert [len(found) for found in faces] == [1, 0, 0, 0, 1]
    assert str(tmp_path / "b.jpg") in faces[1].error


def test_few_pixels_go_together_where_memory_is_short(detector):
    half = np.zeros((40_001, 50, 3), np.uint8)
    assert [found.error for found in detector.detect_batch([half, half])] == [None, None]
    assert detector.batches == [1, 1]


def test_a_video_has_times_pixels_and_faces(detector, tmp_path):
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16))
    for brightness in (0, 255):
        writer.write(np.full((16, 32, 3), brightness, np.uint8))
    writer.release()
    dark, bright = detector.detect_video(str(file))
    assert (dark.seconds, bright.seconds) == (0, 0.1)
    assert dark.pixels.shape == (16, 32, 3)
    assert (len(dark.detections), len(bright.detections)) == (0, 32)


def test_a_video_that_is_none_is_named(detector, tmp_path):
    with pytest.raises(InputError, match=r"none\.mp4"):
        next(detector.detect_video(str(tmp_path / "none.mp4")))
