"""Answers of two detectors about one image, to compare in the head."""

import numpy as np
import pytest

from retinaface_tf.config import DetectorConfig
from retinaface_tf.export.pairing import Found, Tolerance, compare_answers

FACES = [[10, 10, 50, 50, 0.9], [100, 100, 180, 180, 0.5]]


def answer(rows):
    """Returns an answer of these `x1 y1 x2 y2 score`, with all landmarks at the first corner."""
    found = np.array(rows, np.float64).reshape(-1, 5)
    return Found(found[:, :4], found[:, 4], np.tile(found[:, :2], 5))


def compare(one, two, **limits):
    tolerance = Tolerance(pixels=1e-2, score=1e-5)
    return compare_answers(answer(one), answer(two), DetectorConfig(**limits), tolerance)


def counts(difference):
    return difference.paired, difference.borderline, difference.unpaired


def test_equal_answers_are_0_apart_in_any_order():
    assert compare(FACES, FACES[::-1]) == (0, 0, 0, 2, 0, 0)


@pytest.mark.parametrize(("column", "figure"), [(2, "box"), (4, "score")])
def test_the_largest_difference_counts(column, figure):
    moved = np.array(FACES)
    moved[:, column] += [0.1, 0.2]
    found = compare(FACES, moved)
    assert found.paired == 2
    assert getattr(found, figure) == pytest.approx(0.2)


def test_landmarks_are_compared_too():
    one = answer(FACES)
    two = one._replace(landmarks=one.landmarks + 0.5)
    assert compare_answers(one, two, DetectorConfig(), Tolerance(1, 1)).landmark == 0.5


def test_a_box_moved_by_a_pixel_has_no_pair():
    assert counts(compare([[10, 10, 50, 50, 0.9]], [[11, 10, 51, 50, 0.5]])) == (0, 0, 2)


def test_a_box_that_one_detector_found_is_unpaired():
    assert counts(compare(FACES, FACES[:1])) == (1, 0, 1)
    assert counts(compare([], FACES)) == (0, 0, 2)


def test_no_faces_anywhere_are_no_difference():
    assert compare([], []) == (0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("score", "borderline"), [(0.020005, 1), (0.02002, 0)])
def test_a_box_at_the_score_threshold_is_borderline(score, borderline):
    found = compare([*FACES, [300, 300, 340, 340, score]], FACES)
    assert counts(found) == (2, borderline, 1 - borderline)


def test_where_the_limit_is_reached_a_box_as_good_as_the_last_is_borderline():
    first, second, third = FACES[0], [*FACES[1][:4], 0.5], [300, 300, 340, 340, 0.500005]
    # Each of two detectors has room for two of three faces.
    assert counts(compare([first, third], [first, second], max_detections=2)) == (1, 2, 0)
    assert counts(compare([first, third], [first, second], max_detections=3)) == (1, 0, 2)


def test_a_box_that_overlaps_another_by_the_iou_of_nms_is_borderline():
    # 10 x 10 inclusive pixels and 4 x 10 of them: IoU 40 / 100.
    whole, part = [0, 0, 9, 9, 0.9], [0, 0, 3, 9, 0.8]
    assert counts(compare([whole, part], [whole])) == (1, 1, 0)
    assert counts(compare([whole, part], [whole], nms_iou=0.5)) == (1, 0, 1)


def test_of_two_overlapping_boxes_with_equal_scores_either_may_stay():
    left, right = [0, 0, 29, 29], [5, 0, 34, 29]
    assert counts(compare([[*left, 0.700001]], [[*right, 0.7]])) == (0, 2, 0)
    assert counts(compare([[*left, 0.8]], [[*right, 0.7]])) == (0, 0, 2)
