"""Boxes and their overlap: cases to check in the head, laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.geometry.boxes import area, intersection, iou, is_inside, to_corners

UNIT = [0.0, 0.0, 1.0, 1.0]


@st.composite
def boxes(draw):
    """Draws one to five boxes on a grid of quarters, so that all arithmetic is exact."""
    corners = st.tuples(*[st.integers(0, 20)] * 2)
    sides = st.tuples(*[st.integers(0, 12)] * 2)
    rows = draw(st.lists(st.tuples(corners, sides), min_size=1, max_size=5))
    return np.array([[*c, c[0] + s[0], c[1] + s[1]] for c, s in rows], np.float32) / 4


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (UNIT, 1),
        ([0.0, 0.0, 1.0, 0.5], 1 / 2),
        ([0.5, 0.0, 1.5, 1.0], 1 / 3),
        ([0.5, 0.5, 1.5, 1.5], 1 / 7),
        ([0.25, 0.25, 0.75, 0.75], 1 / 4),
        ([1.0, 0.0, 2.0, 1.0], 0),  # side by side
        ([2.0, 2.0, 3.0, 3.0], 0),  # far away along both axes: no negative times negative
        ([0.5, 0.5, 0.5, 0.5], 0),  # empty
    ],
)
def test_iou_is_the_shared_part_of_the_union(other, expected):
    overlap = iou(np.array([UNIT], np.float32), np.array([other], np.float32))
    np.testing.assert_allclose(overlap, [[expected]], rtol=1e-7)


def test_iou_of_two_empty_boxes_is_0_and_not_nan():
    empty = np.ones((1, 4), np.float32)
    assert iou(empty, empty) == 0


def test_iou_has_a_row_per_box_and_a_column_per_other():
    left, right = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]
    expected = [[0.5, 0.5, 1], [1, 0, 0.5]]
    overlap = iou(np.array([UNIT, left], np.float32), np.array([left, right, UNIT], np.float32))
    np.testing.assert_array_equal(overlap, expected)


def test_iou_with_no_box_has_no_row():
    assert iou(np.zeros((0, 4), np.float32), np.array([UNIT], np.float32)).shape == (0, 1)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_0_and_1(some, others):
    forth, back = iou(some, others).numpy(), iou(others, some).numpy()
    np.testing.assert_array_equal(forth, back.T)
    assert (forth >= 0).all()
    assert (forth <= 1).all()


@given(boxes(), boxes(), st.integers(-8, 8), st.sampled_from([0.5, 2.0, 4.0]))
def test_iou_stays_when_all_boxes_move_and_grow_alike(some, others, shift, scale):
    moved = iou((some + shift) * scale, (others + shift) * scale)
    np.testing.assert_array_equal(moved, iou(some, others))


@given(boxes(), boxes())
def test_what_two_boxes_share_is_at_most_the_smaller(some, others):
    smaller = np.minimum(area(some)[:, None], area(others)[None, :])
    assert (intersection(some, others).numpy() <= smaller).all()


def test_corners_lie_half_a_size_around_the_centre():
    np.testing.assert_array_equal(to_corners(np.array([[2, 3, 2, 4]], np.float32)), [[1, 1, 3, 5]])


def test_area_is_width_times_height():
    np.testing.assert_array_equal(area(np.array([[1, 1, 3, 5], [0, 0, 0, 9]], np.float32)), [8, 0])


def test_a_box_contains_its_first_edges_and_not_its_last():
    points = np.array([[2, 3], [4, 3], [2, 5], [3.9, 4.9], [1.9, 4]], np.float32)
    inside = is_inside(points, np.array([2, 3, 4, 5], np.float32)).numpy()
    assert inside.tolist() == [True, False, False, True, False]
