"""The parity gate: answers to check in the head."""

from pathlib import Path

import numpy as np
import pytest

from retinaface_tf.config import Config
from retinaface_tf.evaluation.average_precision import GroundTruth
from retinaface_tf.export.parity import OTHER_RUNTIME, SAME_GRAPH, compare
from retinaface_tf.structures import DetectionBatch

FACES = [[10, 10, 50, 50, 0.9], [100, 100, 180, 180, 0.5]]


def answer(rows):
    """An answer of these `x1 y1 x2 y2 score`, with all landmarks at the first corner."""
    found = np.array(rows, np.float32).reshape(-1, 5)
    boxes, landmarks = found[:, :4], np.repeat(found[:, None, :2], 5, axis=1)
    parts = (boxes, found[:, 4], landmarks)
    return DetectionBatch(*(part[None] for part in parts), np.array([len(found)], np.int32))


def parity(one, two, tolerance=SAME_GRAPH, truth=None):
    files = {"event/image": Path("image.jpg")}
    return compare(lambda _: answer(one), lambda _: answer(two), files, Config(), tolerance, truth)


def test_equal_answers_are_0_apart():
    found = parity(FACES, FACES)
    assert found[:7] == (1, 2, 0, 0, 0, 0, 0)
    assert found.holds(SAME_GRAPH)


@pytest.mark.parametrize(
    ("place", "by", "holds"), [(2, 0.009, True), (2, 0.02, False), (4, 2e-5, False)]
)
def test_the_farthest_box_and_score_decide(place, by, holds):
    moved = np.array(FACES)
    moved[1, place] += by
    found = parity(FACES, moved)
    assert found.common == 2
    assert (found.score if place == 4 else found.box) == pytest.approx(by, rel=0.01)
    assert found.holds(SAME_GRAPH) is holds


def test_another_runtime_may_be_farther_off_in_score():
    moved = np.array(FACES)
    moved[0, 4] -= 5e-5
    assert parity(FACES, moved, OTHER_RUNTIME).holds(OTHER_RUNTIME)


def test_landmarks_count_too():
    def of_moved_landmarks(_):
        return answer(FACES)._replace(landmarks=answer(FACES).landmarks + np.float32(0.5))

    files = {"a": Path("a")}
    found = compare(lambda _: answer(FACES), of_moved_landmarks, files, Config(), SAME_GRAPH)
    assert found.landmark == 0.5
    assert not found.holds(SAME_GRAPH)


def test_a_box_of_one_alone_is_another_box():
    found = parity(FACES, FACES[:1])
    assert (found.common, found.edge, found.other) == (1, 0, 1)
    assert not found.holds(SAME_GRAPH)


def test_a_box_just_above_the_score_threshold_is_at_an_edge():
    found = parity([*FACES, [300, 300, 340, 340, 0.020005]], FACES)
    assert (found.common, found.edge, found.other) == (2, 1, 0)
    assert found.holds(SAME_GRAPH)


def test_a_box_that_overlaps_another_by_just_the_nms_iou_is_at_an_edge():
    # 10 x 10 inclusive pixels and 4 x 10 of them: IoU 40 / 100.
    whole, part = [0, 0, 9, 9, 0.9], [0, 0, 3, 9, 0.8]
    found = parity([whole, part], [whole])
    assert (found.common, found.edge, found.other) == (1, 1, 0)


def test_of_two_that_overlap_with_equal_scores_either_may_stay():
    found = parity([[0, 0, 29, 29, 0.700001]], [[5, 0, 34, 29, 0.7]])
    assert (found.common, found.edge, found.other) == (0, 2, 0)
    found = parity([[0, 0, 29, 29, 0.8]], [[5, 0, 34, 29, 0.7]])
    assert (found.edge, found.other) == (0, 2)


def test_no_faces_anywhere_hold():
    assert parity([], []).holds(SAME_GRAPH)
    assert parity([], FACES).other == 2


def test_ap_of_both_is_told_where_the_faces_are_known():
    faces = np.array([[10, 10, 40, 40], [100, 100, 80, 80]], np.float64)
    counted = dict.fromkeys(("easy", "medium", "hard"), np.ones(2, bool))
    truth = {"event/image": GroundTruth(faces, counted)}
    found = parity(FACES, FACES[:1], truth=truth)
    of_source, of_export = found.ap
    assert of_source["easy"] > 0.99
    assert of_export["easy"] == pytest.approx(0.5, abs=0.01)
    assert "AP easy / medium / hard" in str(found)
