"""The faces of one image: numbers to check in the head."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from retinaface_tf.alignment import ARCFACE112
from retinaface_tf.detections import Detections
from retinaface_tf.structures import DetectionBatch

GREY = np.full((100, 200, 3), 128, np.uint8)


@pytest.fixture
def faces() -> Detections:
    """Returns a face of 40 x 50 pixels and one of 15 x 20, with all landmarks at one point."""
    points = np.zeros((2, 5, 2), np.float32) + np.array([[[30, 40]], [[90, 30]]], np.float32)
    boxes = np.array([[10, 20, 50, 70], [80, 20, 95, 40]], np.float32)
    return Detections(boxes, np.array([0.99, 0.6], np.float32), points)


def test_a_mask_a_list_a_slice_and_a_position_select_faces(faces):
    small = faces.boxes[:, 3] - faces.boxes[:, 1] < 30
    for index in (small, [1], slice(1, None), 1, -1, np.int64(1)):
        [box] = faces[index].boxes.tolist()
        assert box == [80, 20, 95, 40]
    assert [face.scores[0] for face in faces] == faces.scores.tolist()
    with pytest.raises(IndexError):
        faces[2]


def test_above_keeps_the_score_itself(faces):
    assert [len(faces.above(score)) for score in (0.5, faces.scores[1], 0.7, 1.0)] == [2, 2, 1, 0]


def test_the_faces_of_an_image_are_the_first_rows_of_its_batch():
    batch = DetectionBatch(
        boxes=np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        scores=np.array([[0.9, 0.5, 0.4], [0.8, 0.0, 0.0]], np.float32),
        landmarks=np.zeros((2, 3, 5, 2), np.float32),
        num_detections=np.array([3, 1]),
    )
    faces = Detections.of_image(batch, 1)
    assert faces.boxes.tolist() == [[12, 13, 14, 15]]
    assert faces.landmarks.shape == (1, 5, 2)


def test_drawing_marks_box_and_points_on_a_copy(faces):
    picture = faces.draw(GREY)
    assert picture[45, 10].tolist() == picture[70, 30].tolist() == [240, 40, 40]
    assert picture[40, 30].tolist() == [255, 145, 0]  # of five points there the last
    assert (GREY == 128).all()


def test_points_grow_with_the_face():
    def count_point(side):
        box = np.array([[0, 0, side, side]], np.float32)
        points = np.full((1, 5, 2), 500, np.float32)
        picture = Detections(box, np.ones(1, np.float32), points).draw(
            np.zeros((1000, 1000, 3), np.uint8)
        )
        return np.count_nonzero(picture[400:600, 400:600, 0])

    assert count_point(900) > 20 * count_point(90)


def test_a_score_is_written_above_the_box_or_below_where_the_image_ends():
    def rows(top):
        box = np.array([[50, top, 90, top + 40]], np.float32)
        one = Detections(box, np.array([0.5], np.float32), np.zeros((1, 5, 2), np.float32))
        changed = (one.draw(GREY) != 128).any(axis=(1, 2))
        return np.flatnonzero(changed)

    assert rows(40)[rows(40) > 5].min() < 35
    assert rows(0).size


def test_crops_have_a_margin_as_far_as_the_image_goes(faces):
    image = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    first, second = faces.crop(image, margin=0.5)
    np.testing.assert_array_equal(first, image[0:95, 0:70])
    np.testing.assert_array_equal(second, image[10:50, 72:103])
    outside = Detections(faces.boxes[:1] + 300, faces.scores[:1], faces.landmarks[:1])
    assert [crop.size for crop in outside.crop(image)] == [0]


def test_aligned_faces_are_stacked_and_have_their_nose_where_the_template_has_it():
    points = np.array(ARCFACE112.points, np.float32)[None] / 2 + 20
    image = np.zeros((100, 100, 3), np.uint8)
    x, y = points[0, 2].round().astype(int)
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    face = Detections(np.zeros((1, 4), np.float32), np.ones(1, np.float32), points)
    aligned = face.align(image)
    assert aligned.shape == (1, 112, 112, 3)
    assert aligned[0, 72, 56].tolist() == [255, 255, 255]


def test_plain_numbers_are_json_with_landmarks_by_name(faces):
    face = json.loads(json.dumps(faces.to_dict()))[1]
    assert face["box"] == [80, 20, 95, 40]
    assert face["score"] == pytest.approx(0.6)
    assert face["landmarks"]["nose"] == [90, 30]


def test_supervision_gets_boxes_scores_and_landmarks(faces, monkeypatch):
    fake = SimpleNamespace(Detections=lambda **fields: fields)
    monkeypatch.setitem(sys.modules, "supervision", fake)
    fields = faces.to_supervision()
    assert fields["xyxy"] is faces.boxes
    assert fields["confidence"] is faces.scores
    assert fields["class_id"].tolist() == [0, 0]
    assert fields["data"]["landmarks"].shape == (2, 5, 2)


def test_a_repr_says_how_many_faces_and_what_went_wrong(faces):
    assert repr(faces) == "Detections(2 faces, scores 0.99 to 0.60)"
    assert repr(faces[0]) == "Detections(1 face, score 0.99)"
    assert repr(Detections.none()) == "Detections(no faces)"
    assert "a.jpg" in repr(Detections.none("a.jpg: not an image"))
