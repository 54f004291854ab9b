"""Protocol ms_flip: what every pass sees, and where its answer lies in the image."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import Config, DetectorConfig, EvalConfig, ModelConfig
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.multi_scale import MultiScaleFlip, mirrored
from retinaface_tf.evaluation.predict import predict
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.network import build_network
from retinaface_tf.model.tiling import TiledDetector
from retinaface_tf.structures import DetectionBatch

FACE = np.array([0.2, 0.3, 0.5, 0.9])  # x1 y1 x2 y2, in parts of the image
POINTS = np.array([[0.25, 0.4], [0.4, 0.4], [0.3, 0.5], [0.28, 0.7], [0.42, 0.8]])


def candidates(images, scale):
    """Finds the face at FACE of images that are black at the left, mirrored ones too."""
    assert images.dtype == tf.uint8
    _, height, width, _ = images.shape
    mirrored = images[0, 0, 0, 0] > 128
    box, points = FACE.copy(), POINTS.copy()
    if mirrored:
        box[[0, 2]] = 1 - box[[2, 0]]
        points = (np.array([1, 0]) + np.array([-1, 1]) * points)[[1, 0, 2, 4, 3]]
    seen.append((height, width, bool(mirrored)))
    # A second row, past the number of detections.
    return DetectionBatch(
        boxes=tf.constant([[box * np.tile([width, height], 2), np.zeros(4)]], tf.float32),
        scores=tf.constant([[0.5, 0.0]]),
        landmarks=tf.constant([[points * [width, height], np.zeros([5, 2])]], tf.float32),
        num_detections=tf.constant([1]),
    )


seen: list[tuple[int, int, bool]] = []


@pytest.fixture
def image():
    """Returns odd sizes, black at the left and white at the right."""
    ramp = np.linspace(0, 255, 517).astype(np.uint8)
    return np.tile(ramp[None, :, None], (333, 1, 3))[None]


def ms_flip(*short_sides):
    return replace(Config(), eval=EvalConfig(protocol="ms_flip", short_sides=short_sides))


def test_every_pass_tells_the_same_place_of_the_image_as_it_was(image):
    seen.clear()
    found = MultiScaleFlip(candidates, ms_flip(50, 77, 131))(tf.constant(image))
    size = np.array([517, 333])
    assert found.num_detections == [1]
    np.testing.assert_allclose(found.boxes[0, 0], FACE * np.tile(size, 2), rtol=1e-5)
    np.testing.assert_allclose(found.landmarks[0, 0], POINTS * size, rtol=1e-5)
    np.testing.assert_allclose(found.scores, [[0.5]])


def test_each_size_of_the_config_is_seen_as_it_is_and_mirrored(image):
    seen.clear()
    MultiScaleFlip(candidates, ms_flip(50, 100))(tf.constant(image))
    # 517 to 333 is more than 3 to 2, so the long side decides: 75 and 150.
    assert seen == [
        (48, 75, False),
        (48, 75, True),
        (97, 150, False),
        (97, 150, True),
    ]


def test_a_mirrored_image_has_the_mirrored_answer(with_made_up_weights):
    # Once and twice the size: there, resizing rounds both alike.
    config = replace(
        ms_flip(75, 150),
        model=ModelConfig(backbone="mobilenet025"),
        detector=DetectorConfig(top_k=None, max_detections=None),
    )
    network = with_made_up_weights(build_network(config))
    for level in (1, 2, 3):  # scores that are not all 1
        bias = network.get_layer(f"logits{level}_conv").bias
        bias.assign(bias - [0, 8, 0, 8])
    detector = TiledDetector(GraphDetector(network, config))
    image = np.random.default_rng(4).integers(0, 256, (1, 75, 101, 3), np.uint8)
    found, of_mirror = (
        MultiScaleFlip(detector.candidates, config)(tf.constant(each))
        for each in (image, image[:, :, ::-1])
    )
    assert found.num_detections == of_mirror.num_detections > 20
    expected = mirrored(*(rows[0].numpy() for rows in of_mirror[:3]), 101)
    for ours, theirs in zip(found[:3], expected, strict=True):
        np.testing.assert_allclose(ours[0], theirs, rtol=0, atol=1e-3)


def test_a_mirrored_face_keeps_its_left_eye_left():
    boxes, points = np.array([[1, 2, 4, 6]]), np.array([[[1, 3], [4, 3], [2, 4], [1, 5], [3, 5]]])
    boxes, _, points = mirrored(boxes, np.ones(1), points, 10)
    np.testing.assert_array_equal(boxes, [[6, 2, 9, 6]])
    np.testing.assert_array_equal(points, [[[6, 3], [9, 3], [8, 4], [7, 5], [9, 5]]])


def test_a_detector_that_does_not_tell_its_candidates_is_refused_before_any_image(tmp_path):
    files = {"an/image": tmp_path / "none.jpg"}
    with pytest.raises(InputError, match="ms_flip: expected a checkpoint or weights"):
        predict(lambda images, scale: None, files, ms_flip(800))
