"""What a server may answer, and what is refused."""

import numpy as np
import pytest

from retinaface_tf.errors import ImageError, InputError
from retinaface_tf.serving.client.answer import read_answer


def good():
    """Returns an answer about two images, of which the first has one face, with room for three."""
    return {
        "boxes": np.ones((2, 3, 4)),
        "scores": np.array([[0.9, 0, 0], [0, 0, 0]]),
        "landmarks": np.ones((2, 3, 5, 2)),
        "num_detections": np.array([1, 0]),
        "error": np.array([0, 2]),
    }


def test_faces_of_each_image_are_those_that_it_counts():
    first, second = read_answer(good(), 2)
    assert (first.boxes.shape, first.scores.shape) == ((1, 4), (1,))
    assert (first.landmarks.shape, first.error) == ((1, 5, 2), ImageError.NONE)
    assert (len(second.scores), second.error) == (0, ImageError.BROKEN)


def test_an_answer_without_room_for_faces_has_none():
    empty = {name: np.array([[], []]) for name in ("boxes", "scores", "landmarks")}
    first, _ = read_answer(good() | empty | {"num_detections": np.array([0, 0])}, 2)
    assert first.boxes.shape == (0, 4)


@pytest.mark.parametrize("name", list(good()))
def test_a_missing_output_is_named(name):
    answer = good()
    del answer[name]
    with pytest.raises(InputError, match=f"expected the output `{name}`"):
        read_answer(answer, 2)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("boxes", np.ones((1, 3, 4))),  # too few images
        ("boxes", np.ones((2, 2, 4))),  # fewer rows than scores
        ("boxes", np.ones((2, 3, 5))),
        ("boxes", np.ones(())),
        ("boxes", np.full((2, 3, 4), "left")),
        ("boxes", np.ones((2, 3, 4), bool)),
        ("boxes", np.ones((2, 3, 4), object)),
        ("boxes", np.full((2, 3, 4), np.nan)),
        ("boxes", np.full((2, 3, 4), 1e300)),  # infinite as float32
        ("scores", np.full((2, 3), np.inf)),
        ("scores", np.ones((2, 3, 1))),
        ("landmarks", np.ones((2, 3, 10))),
        ("landmarks", np.full((2, 3, 5, 2), -np.inf)),
        ("num_detections", np.array([-1, 0])),
        ("num_detections", np.array([1_000_000, 0])),
        ("num_detections", np.array([1.5, 0])),
        ("num_detections", np.array([1])),
        ("num_detections", np.array(["one", "none"])),
        ("error", np.array([0, 99])),
        ("error", np.array([0, -1])),
        ("error", np.array([[0], [0]])),
        ("error", np.array([None, None])),
    ],
)
def test_what_no_detector_answers_is_refused_by_the_outputs_name(name, values):
    with pytest.raises(InputError, match=f"`{name}`"):
        read_answer(good() | {name: values}, 2)
