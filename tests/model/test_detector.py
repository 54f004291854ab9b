"""The detector: drawn cells to check in the head, and a literal twin in NumPy."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from bright_cells import ANCHORS_OF_CELLS, BrightCells

from retinaface_tf.config import AnchorConfig, DetectorConfig, ModelConfig
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.coder import decode_boxes, decode_landmarks
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.structures import DetectionBatch

CELL = 16
UNLIMITED: dict[str, Any] = {"top_k": None, "max_detections": None}


def images_of(*images):
    """Returns images whose cells are as bright as given: [B, rows, columns] of probabilities."""
    cells = np.round(200 * np.array(images)).astype(np.uint8)
    return np.kron(cells, np.ones((CELL, CELL), np.uint8))[..., None].repeat(3, axis=-1)


@pytest.fixture(scope="module")
def detect(config):
    """Detects bright cells, with one detector for all calls of the same settings."""

    @cache
    def detector(cell, anchors, **settings):
        limits = DetectorConfig(**{"max_detections": 5, **settings})
        return GraphDetector(BrightCells(cell), replace(config, anchors=anchors, detector=limits))

    def with_settings(images, scale=1.0, cell=CELL, anchors=ANCHORS_OF_CELLS, **settings):
        found = detector(cell, anchors, **settings)(images, scale)
        return DetectionBatch(*(part.numpy() for part in found))

    return with_settings


def test_bright_cells_are_detected_in_pixels_of_a_wide_image(detect):
    found = detect(images_of([[0, 0.9, 0], [0, 0, 0.5]]))
    assert found.num_detections == 2
    expected = [[16, 0, 32, 16], [32, 16, 48, 32]]
    np.testing.assert_allclose(found.boxes[0, :2], expected, atol=1e-5)
    np.testing.assert_allclose(found.scores[0, :2], [0.9, 0.5], rtol=1e-6)
    centres = np.array([[24, 8], [40, 24]], np.float32)
    np.testing.assert_allclose(found.landmarks[0, :2], centres[:, None].repeat(5, 1), atol=1e-5)


def test_the_best_score_comes_first(detect):
    found = detect(images_of([[0.3, 0.9, 0.1, 0.6]]))
    np.testing.assert_allclose(found.scores[0, :4], [0.9, 0.6, 0.3, 0.1], rtol=1e-6)
    np.testing.assert_allclose(found.boxes[0, :4, 0], [16, 48, 0, 32], atol=1e-5)


def test_there_are_always_max_detections_rows_and_those_without_a_detection_are_0(detect):
    found = detect(images_of([[0.9, 0, 0]]), max_detections=7)
    assert found.boxes.shape == (1, 7, 4)
    assert found.scores.shape == (1, 7)
    assert found.landmarks.shape == (1, 7, 5, 2)
    assert found.num_detections == 1
    assert not any(part[0, 1:].any() for part in found[:3])


@pytest.mark.parametrize(("max_detections", "rows"), [(5, 5), (None, 0)])
def test_an_image_without_faces_has_0_detections(detect, max_detections, rows):
    found = detect(images_of([[0, 0.01]]), max_detections=max_detections)
    assert found.num_detections == 0
    assert found.boxes.shape == (1, rows, 4)
    assert not any(part.any() for part in found)


def test_a_score_of_just_the_threshold_is_not_enough(detect):
    images = images_of([[0.5, 0.51]])
    assert detect(images, score_threshold=0.5).num_detections == 1
    assert detect(images, score_threshold=0.49).num_detections == 2


def test_max_detections_keeps_the_best(detect):
    found = detect(images_of([[0.3, 0.9, 0.6]]), max_detections=2)
    np.testing.assert_allclose(found.scores, [[0.9, 0.6]], rtol=1e-6)


def test_top_k_bounds_the_candidates_of_nms(detect):
    found = detect(images_of([[0.3, 0.9, 0.6]]), top_k=1)
    assert found.num_detections == 1
    np.testing.assert_allclose(found.scores[0, :2], [0.9, 0], rtol=1e-6)


def test_without_limits_every_detection_of_every_image_is_there(detect):
    crowd, lonely = np.full((30, 30), 0.5), np.zeros((30, 30))
    lonely[3, 4] = 0.9
    found = detect(images_of(lonely, crowd), **UNLIMITED)
    assert found.num_detections.tolist() == [1, 900]
    assert found.boxes.shape == (2, 900, 4)
    assert not found.boxes[0, 1:].any()


@pytest.mark.parametrize("settings", [{}, {"top_k": 2}, UNLIMITED])
def test_images_of_a_batch_do_not_see_each_other(detect, settings):
    images = images_of([[0.3, 0.9, 0.6]], [[0, 0, 0]], [[0, 0.2, 0]])
    together = detect(images, **settings)
    for number in range(len(images)):
        alone = detect(images[number : number + 1], **settings)
        count = int(alone.num_detections[0])
        assert together.num_detections[number] == count
        for one, all_ in zip(alone[:3], together[:3], strict=True):
            np.testing.assert_array_equal(all_[number, :count], one[0, :count])
            assert not all_[number, count:].any()


def test_a_resized_image_is_answered_in_pixels_of_the_one_it_came_from(detect):
    images = images_of([[0, 0.9], [0.5, 0]])
    same, half = detect(images), detect(images, scale=2)
    np.testing.assert_array_equal(half.boxes, same.boxes / 2)
    np.testing.assert_array_equal(half.landmarks, same.landmarks / 2)
    np.testing.assert_array_equal(half.scores, same.scores)


def test_x_and_y_may_be_resized_by_factors_of_their_own(detect):
    # A cell of 16 pixels at 32, 16 is 8 x 4 pixels of an image of twice the width, 4 times as high.
    found = detect(images_of([[0, 0, 0], [0, 0, 0.5]]), scale=[2, 4])
    np.testing.assert_allclose(found.boxes[0, 0], [16, 4, 24, 8], atol=1e-5)
    np.testing.assert_allclose(found.landmarks[0, 0], [[20, 6]] * 5, atol=1e-5)


def test_nms_counts_pixels_of_the_image_that_a_resized_one_came_from(detect):
    # Anchors of 16 pixels every 8. Inclusive pixels: IoU 9 * 17 / 425 = 0.36 as they are, and
    # 1.5 * 2 / 5 = 0.6 for boxes of 1 pixel.
    images = np.full((1, 8, 16, 3), 100, np.uint8)
    settings = {"cell": 8, "anchors": AnchorConfig(sizes=((16,), (16,), (32,))), "nms_iou": 0.4}
    assert detect(images, **settings).num_detections == 2
    assert detect(images, **settings, scale=16).num_detections == 1


@pytest.fixture(scope="module")
def small(config, made_up_network):
    """Returns a network that finds something everywhere, and a config for it without limits."""
    model = ModelConfig(backbone="mobilenet025")
    whole = replace(config, model=model, detector=DetectorConfig(**UNLIMITED))
    return made_up_network("mobilenet025"), whole


@pytest.fixture(scope="module")
def detector(small):
    return GraphDetector(*small)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(2).integers(0, 256, (2, 75, 101, 3)).astype(np.uint8)


def nms_literally(boxes, scores, threshold):
    """Applies greedy NMS with inclusive pixels, as the originals have it in NumPy."""
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1 + 1) * (y2 - y1 + 1)
    order, kept = np.argsort(-scores, kind="stable"), []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + 1
        height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + 1
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        order = rest[shared / (areas[best] + areas[rest] - shared) <= threshold]
    return kept


def detect_literally(network, config, image, scale):
    """Detects boxes, scores, landmarks of one image step by step in NumPy."""
    height, width = image.shape[:2]
    outputs = {name: rows[0] for name, rows in network(image[None], training=False).items()}
    anchors = make_anchors(height, width, config.anchors)
    size = np.array([width, height], np.float32) / np.float32(scale)
    boxes = decode_boxes(outputs["boxes"], anchors, (0.1, 0.2)) * np.tile(size, 2)
    landmarks = decode_landmarks(outputs["landmarks"], anchors, (0.1, 0.2)) * size
    scores = tf.nn.softmax(outputs["logits"])[:, 1].numpy()
    likely = np.flatnonzero(scores > config.detector.score_threshold)
    kept = likely[nms_literally(boxes.numpy()[likely], scores[likely], config.detector.nms_iou)]
    return boxes.numpy()[kept], scores[kept], landmarks.numpy()[kept]


@pytest.mark.parametrize("scale", [1.0, 1.25])
def test_detections_are_decoded_and_suppressed_step_by_step(small, detector, noise, scale):
    found = detector(noise[:1], scale)
    expected = detect_literally(*small, noise[0], scale)
    assert found.num_detections == len(expected[0]) > 20
    for ours, literal in zip(found[:3], expected, strict=True):
        np.testing.assert_allclose(ours[0], literal, rtol=1e-4, atol=1e-3)


def test_one_trace_serves_images_of_all_sizes(detector, noise):
    for height, width in ((32, 64), (33, 50), (75, 40)):
        detector(noise[:, :height, :width])
    assert detector._detect.experimental_get_tracing_count() == 1


def test_a_batch_of_two_is_two_batches_of_one(small, noise):
    network, config = small
    detector = GraphDetector(network, replace(config, detector=DetectorConfig(max_detections=400)))
    together = detector(noise)
    for number in range(2):
        alone = detector(noise[number : number + 1])
        assert together.num_detections[number] == alone.num_detections[0] > 20
        for one, all_ in zip(alone[:3], together[:3], strict=True):
            np.testing.assert_allclose(all_[number], one[0], rtol=1e-4, atol=1e-3)


def test_the_scale_may_be_a_tensor(detector, noise):
    of_number, of_tensor = detector(noise, 2), detector(noise, tf.constant(2.0, tf.float64))
    np.testing.assert_array_equal(of_number.boxes, of_tensor.boxes)


def test_thresholds_of_a_call_replace_those_of_the_config(small, detector, noise):
    network, config = small
    own = replace(config.detector, score_threshold=0.6, nms_iou=0.2)
    expected = GraphDetector(network, replace(config, detector=own))(noise)
    found = detector(noise, score_threshold=0.6, nms_iou=0.2)
    assert (found.num_detections < detector(noise).num_detections).numpy().all()
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_images_of_a_batch_may_have_scales_and_thresholds_of_their_own(detector, noise):
    settings = {
        "scale": [[1.0, 1.1], [2.0, 1.9]],
        "score_threshold": [0.3, 0.7],
        "nms_iou": [0.4, 0.1],
    }
    together = detector(noise, **settings)
    for number in range(2):
        own = {name: values[number] for name, values in settings.items()}
        alone = detector(noise[number : number + 1], **own)
        count = int(alone.num_detections[0])
        assert together.num_detections[number] == count > 0
        for one, all_ in zip(alone[:3], together[:3], strict=True):
            np.testing.assert_allclose(all_[number, :count], one[0], rtol=1e-4, atol=1e-3)
