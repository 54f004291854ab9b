import numpy as np
import tensorflow as tf

from retinaface_tf.geometry.flat_faces import MAX_BLOCK
from retinaface_tf.geometry.matcher import best_overlaps

ANCHORS = tf.constant([[0.0, 0, 10, 10], [20, 20, 40, 40]])


def test_a_face_has_the_overlap_of_the_anchor_that_fits_it_best():
    boxes = [
        [0, 0, 10, 5],  # half of the first
        [20, 20, 40, 40],  # the second itself
        [5, 0, 15, 10],  # 50 shared of 150
        [50, 50, 60, 60],  # neither
        [5, 5, 5, 9],  # without area
    ]
    overlaps = best_overlaps(tf.constant(boxes, tf.float32), ANCHORS)
    np.testing.assert_allclose(overlaps, [0.5, 1, 1 / 3, 0, 0], rtol=1e-6)


def test_faces_beyond_the_first_block_are_compared_too():
    boxes = tf.tile(ANCHORS[:1], [MAX_BLOCK + 3, 1])
    np.testing.assert_array_equal(best_overlaps(boxes, ANCHORS), np.ones(MAX_BLOCK + 3))


def test_no_faces_have_no_overlaps():
    assert best_overlaps(tf.zeros([0, 4]), ANCHORS).shape == (0,)
