"""Thresholds of a precision: scenes of a few boxes, worked out by hand."""

import json

import numpy as np
import pytest

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import SETS, GroundTruth
from retinaface_tf.evaluation.calibration import (
    calibrate,
    parse_target,
    read_threshold,
    write_calibration,
)
from retinaface_tf.evaluation.outcome import examine
from retinaface_tf.evaluation.scoring import score

# Heights of 15, 15 and 60 pixels; the last does not count.
SMALL, SECOND, TALL, IGNORED = (
    *([0, 0, 15, 15], [100, 0, 15, 15], [200, 0, 60, 60], [400, 0, 60, 60]),
)
SMALL_NOWHERE, TALL_NOWHERE = [0, 500, 15, 15], [200, 500, 60, 60]


def outcome(*rows):
    counted = dict.fromkeys(SETS, np.array([True, True, True, False]))
    faces = np.array([SMALL, SECOND, TALL, IGNORED], float)
    return examine({"e/a": rows}, {"e/a": GroundTruth(faces, counted)})


SCENE = (
    *([*SMALL, 0.9], [*TALL_NOWHERE, 0.8], [*TALL, 0.7], [*SECOND, 0.6], [*IGNORED, 0.5]),
    [*SMALL_NOWHERE, 0.4],
)


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        # Shares of hits are 1, 1/2, 2/3, 3/4, 3/5 at .9, .8, .7, .6, .4.
        (0.76, (0.9, 1.0, 1 / 3, 1)),
        (0.75, (0.6, 0.75, 1.0, 4)),
        (0.6, (0.4, 0.6, 1.0, 5)),
    ],
)
def test_the_threshold_is_the_least_that_has_the_precision(precision, expected):
    assert calibrate(outcome(*SCENE), precision)[0] == pytest.approx(expected)


def test_each_class_of_heights_has_its_own():
    _, by_height = calibrate(outcome(*SCENE), 1.0)
    assert by_height[1] == pytest.approx((0.6, 1.0, 1.0, 2))  # 10 to 20
    assert by_height[3] == (None, None, None, 0)  # 50 to 100: the best is false
    _, by_height = calibrate(outcome(*SCENE), 0.5)
    assert by_height[3] == pytest.approx((0.7, 0.5, 1.0, 2))


def test_detections_of_equal_scores_are_kept_together():
    equal = [*SMALL, 0.9], [*SMALL_NOWHERE, 0.9], [*SECOND, 0.9]
    assert calibrate(outcome(*equal), 0.9)[0].score_threshold is None
    assert calibrate(outcome(*equal), 0.6)[0].detections == 3


def test_without_detections_there_is_no_threshold():
    assert calibrate(examine({}, {}), 0.5)[0] == (None, None, None, 0)


@pytest.mark.parametrize("text", ["0.99", "recall=0.9", "precision=", "precision=0", "precision=2"])
def test_what_is_no_precision_is_refused(text):
    with pytest.raises(InputError, match=f"--calibrate: .*'{text}'"):
        parse_target(text)


def test_a_precision_is_parsed():
    assert parse_target("precision=0.99") == 0.99


def test_the_file_says_what_it_holds_for(tmp_path):
    weights = tmp_path / "w.pth"
    weights.write_text("weights")
    evaluation = score({}, {}, Config(), source=str(weights), protocol="vga")
    write_calibration(tmp_path, outcome(*SCENE), 0.75, evaluation)
    written = json.loads((tmp_path / "calibration.json").read_text())
    assert written["score_threshold"] == 0.6
    assert written["target"] == {"precision": 0.75}
    assert [(each["from"], each["to"]) for each in written["by_height"]][-2:] == [
        (100, 300),
        (300, None),
    ]
    assert list(written["sha256"]) == ["w.pth"]
    assert written["protocol"] == "vga"


def test_what_was_at_the_threshold_is_above_that_of_a_detector(tmp_path):
    file = tmp_path / "calibration.json"
    file.write_text('{"target": {"precision": 0.9}, "score_threshold": 0.7}')
    threshold = read_threshold(file)
    assert np.float32(0.7) > np.float32(threshold)
    assert threshold == pytest.approx(0.7, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"target": {"precision": 0.9}, "score_threshold": null}', "precision of 0.9"),
        ("{}", "'target'"),
        ("[", "JSONDecodeError"),
    ],
)
def test_a_calibration_without_a_threshold_is_named(tmp_path, text, named):
    file = tmp_path / "calibration.json"
    file.write_text(text)
    with pytest.raises(InputError, match=f"calibration.json: .*{named}"):
        read_threshold(file)
