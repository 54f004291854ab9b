"""Decode and NMS in NumPy: cases to check in the head, and TensorFlow, whose twin they are."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import AnchorConfig, DetectorConfig
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.runtimes.heads import anchors_of_square, detect_faces, empty_batch
from retinaface_tf.structures import Predictions

VARIANCES = (0.1, 0.2)
# Two anchors of a quarter of the image, at its near corner and in its middle.
TWO = np.array([[0.125, 0.125, 0.25, 0.25], [0.5, 0.5, 0.25, 0.25]], np.float32)


def heads(scores, boxes=0.0, landmarks=0.0):
    """Heads that say these scores."""
    scores, count = np.array(scores), len(scores)
    logits = np.stack([np.zeros(count), np.log(scores / (1 - scores))], axis=1)
    return Predictions(
        boxes=np.zeros([count, 4], np.float32) + np.float32(boxes),
        logits=logits.astype(np.float32),
        landmarks=np.zeros([count, 5, 2], np.float32) + np.float32(landmarks),
    )


def detect(heads, anchors=TWO, pixels=(100, 100), **settings):
    limits = DetectorConfig(**settings)
    return detect_faces(heads, anchors, VARIANCES, np.float32(pixels), limits)


def test_an_anchor_that_is_not_moved_is_the_box_and_its_centre_the_landmarks():
    found = detect(heads([0.6, 0.9]))
    np.testing.assert_allclose(found.boxes, [[37.5, 37.5, 62.5, 62.5], [0, 0, 25, 25]], atol=1e-5)
    np.testing.assert_allclose(found.landmarks[:, 2], [[50, 50], [12.5, 12.5]], atol=1e-5)
    np.testing.assert_allclose(found.scores, [0.9, 0.6], atol=1e-6)
    assert len(found) == 2


def test_offsets_are_in_tenths_of_the_anchor_and_sizes_in_fifths_of_a_logarithm():
    found = detect(heads([0.9, 0.01], boxes=[1, 0, 0, 5 * np.log(2)], landmarks=[0, -2]))
    # Centre 12.5 + 0.1 * 25 across, twice as high.
    np.testing.assert_allclose(found.boxes, [[2.5, -12.5, 27.5, 37.5]], atol=1e-4)
    np.testing.assert_allclose(found.landmarks[0], [[12.5, 7.5]] * 5, atol=1e-5)


@pytest.mark.parametrize(("limits", "count"), [({"top_k": 1}, 1), ({"max_detections": 1}, 1)])
def test_limits_leave_the_best(limits, count):
    found = detect(heads([0.6, 0.9]), **limits)
    assert len(found.boxes) == len(found) == count
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-6)


def test_nothing_above_the_threshold_is_no_detection():
    found = detect(heads([0.019, 0.01]))
    parts = (found.boxes, found.scores, found.landmarks)
    assert [part.shape for part in parts] == [(0, 4), (0,), (0, 5, 2)]


def test_certain_logits_neither_overflow_nor_warn():
    certain = heads([0.5, 0.5])._replace(logits=np.float32([[-500, 500], [500, -500]]))
    np.testing.assert_array_equal(detect(certain).scores, [1])


def test_room_for_detections_is_empty():
    assert [part.shape for part in empty_batch(2, 7)] == [(2, 7, 4), (2, 7), (2, 7, 5, 2), (2,)]
    assert not any(part.any() for part in empty_batch(2, 7))


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("side", [64, 333, 840])
def test_anchors_are_those_of_training_bit_by_bit(side, clip):
    config = AnchorConfig(clip=clip)
    expected = make_anchors(side, side, config).numpy()
    np.testing.assert_array_equal(anchors_of_square(side, config), expected)


def test_width_and_height_may_have_factors_of_their_own():
    found = detect(heads([0.01, 0.9]), pixels=(100, 200))
    np.testing.assert_allclose(found.boxes, [[37.5, 75, 62.5, 125]], atol=1e-5)
    np.testing.assert_allclose(found.landmarks[0], [[50, 100]] * 5, atol=1e-5)


@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.4, 0.5)])
def test_random_heads_give_what_the_detector_gives(config, scale):
    side = 160
    random = np.random.default_rng(3)
    count = config.anchors.count(side, side)
    said = Predictions(
        boxes=random.normal(size=(count, 4)).astype(np.float32),
        logits=random.normal(0, 3, (count, 2)).astype(np.float32),
        landmarks=random.normal(size=(count, 5, 2)).astype(np.float32),
    )

    class Network:
        variables = ()

        def __call__(self, images, training):
            return {name: tf.constant(rows[None]) for name, rows in said._asdict().items()}

    limits = replace(config.detector, max_detections=100)
    expected = GraphDetector(Network(), replace(config, detector=limits))(
        np.zeros([1, side, side, 3], np.uint8), scale
    )
    anchors = anchors_of_square(side, config.anchors)
    found = detect_faces(said, anchors, config.anchors.variances, side / np.float32(scale), limits)
    assert 20 < len(found) == expected.num_detections[0]
    for name in ("boxes", "scores", "landmarks"):
        twin = getattr(expected, name)[0, : len(found)]
        np.testing.assert_allclose(getattr(found, name), twin, rtol=1e-5, atol=1e-4)
