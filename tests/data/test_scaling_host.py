"""The letterbox without TensorFlow: a case to check in the head, and its twin in the graph."""

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.data import scaling, scaling_host
from retinaface_tf.structures import DetectionBatch


def test_a_wide_image_is_doubled_and_filled_below_with_the_mean_colour():
    image = np.array([[[0, 0, 0], [8, 8, 8]]], np.uint8)
    square, scale = scaling_host.letterbox(image, 4)
    assert scale.tolist() == [2, 2]
    assert square[:2, :, 0].tolist() == [[0, 2, 6, 8]] * 2
    assert square[2:].reshape(-1, 3).tolist() == [[123, 117, 104]] * 8


@pytest.mark.parametrize(
    ("size", "side"),
    [((75, 101), 96), ((40, 30), 96), ((300, 20), 96), ((1, 300), 64), ((480, 641), 320)],
)
def test_it_equals_the_graphs_bit_for_bit(size, side):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    square, scale = scaling_host.letterbox(image, side)
    expected, expected_scale = scaling.letterbox(tf.constant(image), side)
    np.testing.assert_array_equal(square, expected)
    np.testing.assert_array_equal(scale, expected_scale)


@pytest.mark.parametrize("letterbox", [scaling_host.letterbox, scaling.letterbox])
def test_the_scale_is_the_real_one_as_sides_are_rounded(letterbox):
    # 5 * 10 / 7 = 7.14 pixels become 7.
    _, scale = letterbox(np.zeros([5, 7, 3], np.uint8), 10)
    np.testing.assert_allclose(scale, [10 / 7, 7 / 5], rtol=1e-6)


def test_detections_are_mapped_back_by_the_factors_of_x_and_y():
    found = DetectionBatch(
        boxes=np.full([2, 1, 4], 12, np.float32),
        scores=np.ones([2, 1], np.float32),
        landmarks=np.full([2, 1, 5, 2], 6, np.float32),
        num_detections=np.ones(2, np.int32),
    )
    for scale, expected in (
        (2, [[6, 6], [6, 6]]),
        ([2, 3], [[6, 4], [6, 4]]),
        ([[2, 3], [1, 4]], [[6, 4], [12, 3]]),
    ):
        mapped = scaling_host.undo_scale(found, scale)
        np.testing.assert_array_equal(mapped.boxes[:, 0, :2], expected)
        np.testing.assert_array_equal(mapped.boxes[:, 0, 2:], expected)
        np.testing.assert_array_equal(mapped.landmarks[:, 0, 0] * 2, expected)


def test_a_halved_pixel_is_the_mean_of_four_and_an_odd_edge_counts_twice():
    image = np.array([[0, 4, 8], [4, 9, 8]], np.uint8)[..., None].repeat(3, axis=2)
    assert scaling_host.halve(image)[..., 0].tolist() == [[4, 8]]  # 17 / 4 rounded


@pytest.mark.parametrize("size", [(75, 101), (40, 30), (1, 1), (1, 300)])
def test_halving_equals_the_graphs_bit_for_bit(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    np.testing.assert_array_equal(scaling_host.halve(image), scaling.halve(tf.constant(image)))
