"""Parts of images on pages, by hand."""

import numpy as np

from retinaface_tf.drawing import Window
from retinaface_tf.tiles import Box, Point, landmark_points, make_tile

IMAGE = np.zeros((100, 200, 3), np.uint8)


def test_boxes_and_points_are_in_pixels_of_the_part_and_others_are_left_out():
    boxes = [Box(60, 30, 10, 20, "labelled"), Box(0, 0, 9, 9, "labelled")]
    points = [Point(65, 45, "nose"), Point(10, 10, "nose")]
    tile = make_tile(IMAGE, Window(50, 20, 150, 100), boxes, points)
    assert tile.size == (100, 80)
    assert tile.boxes == [Box(10, 10, 10, 20, "labelled")]
    assert tile.points == [Point(15, 25, "nose")]
    assert tile.url.startswith("data:image/jpeg;base64,")


def test_a_box_without_area_inside_of_the_part_is_kept():
    [box] = make_tile(IMAGE, Window(0, 0, 50, 50), [Box(10, 10, 0, 5, "labelled")]).boxes
    assert box.w == 0


def test_landmarks_have_the_names_of_their_places():
    points = landmark_points(np.arange(10, dtype=np.float32).reshape(5, 2))
    assert points[0] == Point(0, 1, "left_eye")
    assert points[4] == Point(8, 9, "right_mouth_corner")
