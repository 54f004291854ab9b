"""The window around a box, by hand."""

import numpy as np

from retinaface_tf.drawing import Window, window_around

IMAGE = (100, 200, 3)  # height, width


def around(box, margin=0.0, **more):
    return window_around(np.array(box, np.float64), IMAGE, margin, **more)


def test_a_window_has_whole_pixels_and_a_margin_by_the_sides_of_the_box():
    assert around([10.2, 20, 30, 60.5]) == (10, 20, 30, 61)
    assert around([40, 40, 60, 80], 0.5) == (30, 20, 70, 100)


def test_a_square_goes_by_the_longer_side_and_has_a_smallest_size():
    # A centre of 50, 40; twice the side of 20 and then 60 pixels.
    assert around([45, 30, 55, 50], 0.5, min_square=1) == (30, 20, 70, 60)
    assert around([45, 30, 55, 50], 0.5, min_square=60) == (20, 10, 80, 70)


def test_a_box_of_negative_width_has_a_square_around_its_centre():
    assert around([55, 30, 45, 50], min_square=1) == (40, 30, 60, 50)


def test_a_window_ends_with_the_image_and_is_none_outside_of_it():
    assert around([-10, 90, 10, 130]) == (0, 90, 10, 100)
    assert around([190, 0, 300, 10], 0.5) == (135, 0, 200, 15)
    assert around([200, 0, 210, 9]) is None
    assert around([0, -9, 9, 0]) is None


def test_a_window_cuts_its_pixels_out_of_an_image():
    image = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(Window(1, 0, 3, 2).cut(image), [[1, 2], [5, 6]])
