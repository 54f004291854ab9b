"""NMS: strips to check in the head, a batch, the originals' numbers.

The boxes of the hand-made cases are strips of one pixel's height, given by their first and last
pixel, so that overlaps are ratios of whole numbers.
"""

import numpy as np
import pytest

from retinaface_tf.geometry.nms import suppress


def strips(ends):
    return np.array([[x1, 0, x2, 0] for x1, x2 in ends], np.float32)


def kept(ends, scores=None, score_threshold=0.0, iou=0.4, max_detections=None):
    """Indices of the strips of one image that are kept."""
    scores = np.linspace(0.9, 0.1, len(ends)) if scores is None else scores
    found = suppress(
        strips(ends)[None], np.float32([scores]), [score_threshold], [iou], max_detections
    )
    return found.indices[0, : found.counts[0]].numpy().tolist()


def test_the_better_of_two_that_overlap_is_kept():
    assert kept([(0, 9), (1, 10), (50, 59)]) == [0, 2]


def test_a_suppressed_box_suppresses_nothing():
    # Each overlaps the next by 1/2; the first and the last share nothing.
    assert kept([(0, 11), (4, 15), (12, 23)]) == [0, 2]


@pytest.mark.parametrize(("iou", "expected"), [(0.5, [0, 1]), (0.49, [0])])
def test_an_overlap_equal_to_the_threshold_is_kept(iou, expected):
    # 12 pixels each, both ends included, of which 8 are shared: IoU 8 / 16.
    assert kept([(0, 11), (4, 15)], iou=iou) == expected


@pytest.mark.parametrize(("score_threshold", "expected"), [(0.5, [0]), (0.49, [0, 1])])
def test_a_score_equal_to_the_threshold_is_dropped(score_threshold, expected):
    assert kept([(0, 9), (20, 29)], [0.6, 0.5], score_threshold) == expected


def test_of_equal_scores_the_first_is_kept():
    assert kept([(1, 10), (0, 9), (50, 59)], [0.5, 0.5, 0.5]) == [0, 2]


def test_boxes_of_one_pixel_are_not_empty():
    assert kept([(3, 3), (3, 3), (4, 4)]) == [0, 2]


def test_no_more_than_max_detections_are_kept():
    assert kept([(0, 9), (20, 29), (40, 49)], max_detections=2) == [0, 1]


def test_columns_are_max_detections_and_padding_is_a_valid_index():
    found = suppress(strips([(0, 9), (1, 10)])[None], np.float32([[0.9, 0.8]]), [0.0], [0.4], 5)
    assert found.indices.shape == (1, 5)
    assert found.counts.numpy().tolist() == [1]
    assert set(found.indices[0].numpy()) <= {0, 1}


def test_images_have_their_own_scores_and_thresholds():
    boxes = np.stack([strips([(0, 11), (4, 15), (40, 51)])] * 3)
    scores = np.float32([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7], [0.1, 0.1, 0.1]])
    found = suppress(boxes, scores, [0.75, 0.1, 0.2], [0.5, 0.4, 0.4])
    assert found.counts.numpy().tolist() == [2, 2, 0]
    assert found.indices.numpy()[:2].tolist() == [[0, 1], [0, 2]]


@pytest.mark.parametrize("case", "abcde")
def test_the_originals_keep_the_same(case, vectors):
    original = vectors("nms")
    rows, keep = original[f"dets_{case}"], original[f"keep_{case}"]
    order = np.argsort(-rows[:, 4], kind="stable")
    iou = round(float(original[f"thresh_{case}"]), 6)
    found = suppress(rows[None, order, :4], rows[None, order, 4], [0.0], [iou])
    np.testing.assert_array_equal(order[found.indices[0]], keep)
