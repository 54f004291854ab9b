"""Targets of a batch: cases to check in the head, edges, the originals' numbers."""

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import AnchorConfig, Config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.structures import Faces, Targets

# Two anchors beside each other, `cx cy w h`.
PAIR = np.array([[0.25, 0.5, 0.5, 1], [0.75, 0.5, 0.5, 1]], np.float32)
LEFT, RIGHT = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]
POINTS = [[0.25, 0.5], [0.3, 0.5], [0.25, 0.6], [0.2, 0.5], [0.25, 0.4]]


def faces_of(*images, has_landmarks=True):
    """Returns a batch from lists of boxes; every face has POINTS as its landmarks."""
    most = max(map(len, images))
    boxes = np.zeros((len(images), most, 4), np.float32)
    valid = np.zeros((len(images), most), bool)
    for number, image in enumerate(images):
        boxes[number, : len(image)] = np.reshape(image, (-1, 4))
        valid[number, : len(image)] = True
    landmarks = np.broadcast_to(np.array(POINTS, np.float32), (*valid.shape, 5, 2))
    return Faces(boxes, landmarks, valid & has_landmarks, valid)


def targets_of(faces, anchors=PAIR):
    @tf.function
    def make(faces):
        return make_targets(faces, tf.constant(anchors), (16, 16), Config())  # IoU needs no shape

    return Targets(*(part.numpy() for part in make(faces)))


def test_each_anchor_is_sent_to_its_face():
    targets = targets_of(faces_of([LEFT, [0.55, 0.0, 1.05, 1.0]]))
    assert targets.is_face.tolist() == [[True, True]]
    # A tenth of the anchor's width aside: 1.
    np.testing.assert_allclose(targets.boxes, [[[0] * 4, [1, 0, 0, 0]]], atol=2e-6)


def test_landmarks_are_sent_to_the_anchor_of_their_face():
    targets = targets_of(faces_of([LEFT]))
    assert targets.has_landmarks.tolist() == [[True, False]]
    expected = [[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]]
    np.testing.assert_allclose(targets.landmarks[0, 0], expected, atol=2e-6)


def test_a_face_without_landmarks_is_a_face_all_the_same():
    targets = targets_of(faces_of([LEFT], has_landmarks=False))
    assert targets.is_face.tolist() == [[True, False]]
    assert not targets.has_landmarks.any()


def test_rows_of_padding_are_no_faces():
    faces = faces_of([LEFT, RIGHT])
    faces = faces._replace(valid=np.array([[True, False]]), has_landmarks=np.array([[True, True]]))
    assert targets_of(faces).is_face.tolist() == [[True, False]]


def test_faces_may_follow_padding():
    faces = faces_of([LEFT, LEFT])._replace(valid=np.array([[False, True]]))
    faces.boxes[0, 0] = RIGHT
    targets = targets_of(faces)
    assert targets.is_face.tolist() == [[True, False]]
    np.testing.assert_allclose(targets.boxes[0, 0], [0] * 4, atol=1e-6)


def test_an_image_without_faces_has_no_targets_beside_one_that_has():
    targets = targets_of(faces_of([], [LEFT]))
    assert targets.is_face.tolist() == [[False, False], [True, False]]
    assert targets.has_landmarks.tolist() == [[False, False], [True, False]]


def test_a_batch_without_any_face_has_no_targets():
    targets = targets_of(faces_of([], []))
    assert targets.boxes.shape == (2, 2, 4)
    assert targets.landmarks.shape == (2, 2, 5, 2)
    assert not targets.is_face.any()
    assert not targets.has_landmarks.any()


def test_images_of_a_batch_do_not_see_each_other():
    images = [[LEFT], [], [RIGHT, LEFT], [[0.1, 0.1, 0.5, 0.8]]]
    together = targets_of(faces_of(*images))
    for number, image in enumerate(images):
        alone = targets_of(faces_of(image))
        for one, all_ in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], all_[number], rtol=1e-6)  # of SIMD and scalar log


def test_a_face_outside_the_image_trains_no_anchor():
    assert not targets_of(faces_of([[1.5, 0.0, 2.0, 1.0]])).is_face.any()


def test_a_face_of_one_pixel_trains_no_anchor_at_840():
    anchors = make_anchors(840, 840, AnchorConfig())
    pixel = [100 / 840, 100 / 840, 101 / 840, 101 / 840]
    assert not targets_of(faces_of([pixel]), anchors).is_face.any()


@pytest.mark.parametrize(
    "case",
    [
        "random12_840",
        "random40_640",
        "random9_333x517",
        "collide_840",
        "tiny_840",
        "zero_width_840",
    ],
)
def test_targets_are_the_originals(case, vectors):
    """Also where a face is hopeless: in these cases it steals an anchor that stays unused."""
    original = vectors(f"match_{case}")
    faces = Faces(*(original[f"faces_{field}"] for field in Faces._fields))
    height, width = original["image_size"].tolist()
    targets = targets_of(faces, make_anchors(height, width, AnchorConfig()))
    rows, labels = original["anchors"], original["labels"]
    np.testing.assert_array_equal(np.flatnonzero(targets.is_face[0]), rows)
    np.testing.assert_array_equal(np.flatnonzero(targets.has_landmarks[0]), rows[labels == 1])
    np.testing.assert_allclose(targets.boxes[0, rows], original["boxes"], rtol=1e-6, atol=1e-6)
    with_landmarks = targets.landmarks[0, rows[labels == 1]]
    expected = original["landmarks"][labels == 1]
    np.testing.assert_allclose(with_landmarks, expected, rtol=1e-6, atol=1e-6)
