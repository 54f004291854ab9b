"""The judgement of faces and detections: scenes of a few boxes, worked out by hand."""

import numpy as np
import pytest

from retinaface_tf.evaluation.average_precision import SETS, GroundTruth
from retinaface_tf.evaluation.outcome import (
    examine,
    false_detections,
    max_f1_threshold,
    missed_faces,
    reliability,
    why_false,
)

# 20 x 20, 50 x 50 and 30 x 30 pixels, far from each other.
SMALL, TALL, IGNORED = [10, 10, 20, 20], [100, 100, 50, 50], [300, 300, 30, 30]
NOWHERE = [600, 600, 20, 20]
BESIDE = [14, 20, 20, 20]  # shares 17 x 11 of 441 + 441 pixels with SMALL: 0.27


def scene():
    faces = np.array([SMALL, TALL, IGNORED], float)
    counted = {name: np.array([True, True, False]) for name in SETS}
    return {"e/empty": GroundTruth(np.zeros((0, 4)), dict.fromkeys(SETS, np.zeros(0, bool)))} | {
        "e/a": GroundTruth(faces, counted)
    }


def outcome(*rows):
    return examine({"e/a": rows, "e/empty": [[*NOWHERE, 1.0]]}, scene())


def test_of_several_detections_of_a_face_the_one_with_the_highest_score_is_its_hit():
    found = outcome([*SMALL, 0.6], [*SMALL, 0.9], [*TALL, 0.7])
    assert found.hit.tolist() == [False, True, True]
    assert found.hit_scores.tolist() == [0.9, 0.7, -np.inf]


def test_of_detections_with_equal_scores_the_first_is_the_hit():
    assert outcome([*SMALL, 0.9], [*SMALL, 0.9]).hit.tolist() == [True, False]


def test_detections_in_images_without_faces_are_left_out_as_in_ap():
    found = outcome([*SMALL, 0.9])
    assert found.matches.image.tolist() == [1]
    assert found.images[1] == "e/a"
    assert found.face_image.tolist() == [1, 1, 1]


def test_missed_faces_belong_to_a_set_and_come_tallest_first():
    assert missed_faces(outcome(), 0.5).tolist() == [1, 0]
    assert missed_faces(outcome([*TALL, 0.4]), 0.5).tolist() == [1, 0]
    assert missed_faces(outcome([*TALL, 0.5]), 0.5).tolist() == [0]
    assert missed_faces(outcome([*TALL, 0.5], [*SMALL, 0.5]), 0.5).tolist() == []


def test_false_detections_come_by_falling_score_with_their_reason():
    found = outcome([*SMALL, 0.9], [*SMALL, 0.8], [*BESIDE, 0.85], [*NOWHERE, 0.6], [*IGNORED, 1.0])
    false = false_detections(found, "hard", 0.1)
    assert false.tolist() == [2, 1, 3]
    assert [why_false(found, i) for i in false] == ["misplaced", "duplicate", "no face"]
    assert false_detections(found, "hard", 0.7).tolist() == [2, 1]


def test_nothing_detected_and_nothing_to_detect_are_answered():
    nothing = examine({}, {})
    assert missed_faces(nothing, 0.5).tolist() == []
    assert false_detections(nothing, "hard", 0.5).tolist() == []
    assert max_f1_threshold(nothing, "hard") == 1.0
    assert reliability(nothing, "hard").expected_calibration_error == 0


def test_the_threshold_of_the_highest_f1_keeps_hits_and_drops_false_detections():
    # At 0.7 both faces are found by two detections; below, false ones come in.
    rows = [[*SMALL, 0.9], [*TALL, 0.7], [*NOWHERE, 0.4], [*NOWHERE, 0.3]]
    assert max_f1_threshold(outcome(*rows), "hard") == 0.7


def test_reliability_counts_hits_among_the_detections_of_a_tenth():
    rows = [[*SMALL, 0.82], [*SMALL, 0.84], [*TALL, 1.0], [*NOWHERE, 0.05], [*IGNORED, 0.5]]
    diagram = reliability(outcome(*rows), "hard")
    assert diagram.detections.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 2, 1]
    assert diagram.score[[0, 8, 9]] == pytest.approx([0.05, 0.83, 1.0])
    assert diagram.precision[[0, 8, 9]].tolist() == [0, 0.5, 1]
    assert np.isnan(diagram.precision[1:8]).all()
    # Gaps of 0.05, twice 0.33 and 0.
    assert diagram.expected_calibration_error == pytest.approx((0.05 + 2 * 0.33) / 4)
