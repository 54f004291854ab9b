"""Mining: cases to check in the head, and its law: what a sort would take."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retinaface_tf.model.mining import mine


def mined(costs, wanted):
    return mine(tf.constant(costs), tf.constant(wanted, tf.float32)).numpy().astype(int).tolist()


def test_each_image_gives_as_many_of_its_highest_costs_as_it_wants():
    costs = np.float32([[1, 5, 3, 4], [9, 8, 7, 6], [1, 2, 3, 4]])
    assert mined(costs, [2, 1, 0]) == [[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_of_equal_costs_the_first_are_mined():
    assert mined(np.float32([[2, 1, 2, 2]]), [2]) == [[1, 0, 1, 0]]


def test_all_are_mined_where_more_are_wanted():
    assert mined(np.float32([[0, 1]]), [7]) == [[1, 1]]


@pytest.mark.parametrize("nan", [np.nan, -np.nan])
def test_nan_and_infinity_are_the_hardest(nan):
    assert mined(np.float32([[1, nan, 3e38, np.inf]]), [2]) == [[0, 1, 0, 1]]


@given(st.data(), st.sampled_from([np.float32, np.float64]))
def test_what_a_sort_puts_first_is_mined(data, dtype):
    # Few values, so that many are equal; some differ in the last bit.
    values = [0, 1, np.nextafter(dtype(1), dtype(2)), 1e-30, 700]
    costs = data.draw(arrays(dtype, (2, 9), elements=st.sampled_from([dtype(v) for v in values])))
    wanted = data.draw(st.tuples(st.integers(0, 10), st.integers(0, 10)))
    order = np.argsort(-costs, axis=1, kind="stable")
    expected = np.zeros(costs.shape, int)
    for row, places, count in zip(expected, order, wanted, strict=True):
        row[places[:count]] = 1
    assert mined(costs, wanted) == expected.tolist()
