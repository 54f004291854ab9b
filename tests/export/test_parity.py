"""The parity check: when an export holds, and what is said of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retinaface_tf.config import Config
from retinaface_tf.errors import DoesNotHold
from retinaface_tf.evaluation.average_precision import GroundTruth
from retinaface_tf.export.parity import OTHER_RUNTIME, SAME_GRAPH, Parity, ParityCheck
from retinaface_tf.export.parity_images import open_parity_check
from retinaface_tf.structures import DetectionBatch

EQUAL = Parity(1, 2, box=0, landmark=0, score=0, borderline=0, unpaired=0, ap=None)
BOXES = np.array([[10, 10, 50, 50], [100, 100, 180, 180]], np.float32)


def detecting(count, right=0):
    """Returns a detector that finds the first of BOXES in any file, moved to the right."""
    boxes = BOXES[None, :count] + np.float32([right, 0, right, 0])
    scores = np.float32([[0.9, 0.5]])[:, :count]
    landmarks = np.zeros((1, count, 5, 2), np.float32)
    return lambda file: DetectionBatch(boxes, scores, landmarks, np.array([count]))


def check(truth=None):
    files = {"event/a": Path("a.jpg"), "event/b": Path("b.jpg")}
    return ParityCheck(files, truth, Config())


@pytest.mark.parametrize(
    ("difference", "holds"),
    [
        ({}, True),
        ({"box": 0.009, "landmark": 0.009, "score": 0.9e-5, "borderline": 3}, True),
        ({"box": 0.02}, False),
        ({"landmark": 0.02}, False),
        ({"score": 2e-5}, False),
        ({"unpaired": 1}, False),
    ],
)
def test_parity_holds_unless_a_difference_is_beyond_the_tolerance(difference, holds):
    assert replace(EQUAL, **difference).holds(SAME_GRAPH) is holds


def test_another_runtime_may_differ_by_more_in_score():
    assert replace(EQUAL, score=5e-5).holds(OTHER_RUNTIME)


def test_figures_are_over_all_images():
    def export(file):
        return detecting(1, right=0.5 if file.stem == "b" else 0.25)(file)

    found = check().measure("x", detecting(2), export, SAME_GRAPH)
    assert (found.images, found.paired, found.unpaired, found.box) == (2, 2, 2, 0.5)


def test_an_export_that_is_too_far_off_is_refused_by_name():
    with pytest.raises(DoesNotHold, match=r"some export.*0\.01 px.*1e-05"):
        check().require("some export", detecting(2), detecting(2, right=0.5), SAME_GRAPH)


def test_the_summary_is_a_line_on_all_comparisons_that_had_to_hold(caplog):
    comparing = check()
    with caplog.at_level("INFO"):
        comparing.require("one", detecting(2), detecting(2), SAME_GRAPH)
        comparing.require("two", detecting(1), detecting(1, right=0.0078125), SAME_GRAPH)
        comparing.measure("three", detecting(1), detecting(1, right=0.5), SAME_GRAPH)
    assert comparing.summary() == "2 images, 6 boxes, at most 0.0078 px and 0 in score apart"
    assert caplog.messages == []  # the figures of each are details


def test_ap_of_both_is_measured_where_the_faces_are_known():
    faces = np.array([[10, 10, 40, 40], [100, 100, 80, 80]], np.float64)
    counted = dict.fromkeys(("easy", "medium", "hard"), np.ones(2, bool))
    truth = dict.fromkeys(("event/a", "event/b"), GroundTruth(faces, counted))
    found = check(truth).measure("x", detecting(2), detecting(1), SAME_GRAPH)
    of_source, of_export = found.ap
    assert of_source["easy"] > 0.99
    assert of_export["easy"] == pytest.approx(0.5, abs=0.01)
    assert f"{of_export['hard']:.4f}" in str(found)


def test_the_names_of_figures_in_metadata_stay():
    keys = ["images", "common", "box", "landmark", "score", "edge", "other", "ap"]
    assert list(EQUAL.as_dict()) == keys


def test_the_first_images_of_the_validation_set_are_compared(tiny_config):
    with open_parity_check(tiny_config) as check:
        assert len(check.files) == 2
        assert check.truth.keys() >= check.files.keys()
        assert all(str(file).startswith(tiny_config.data.root) for file in check.files.values())


def test_without_a_data_set_images_are_drawn_and_removed(tiny_config, tmp_path, caplog):
    config = replace(tiny_config, data=replace(tiny_config.data, root=str(tmp_path / "none")))
    with caplog.at_level("INFO"), open_parity_check(config) as check:
        files = list(check.files.values())
        assert len(files) == 2
        assert all(file.is_file() for file in files)
    assert "drawing 2" in caplog.text
    assert not any(file.exists() for file in files)
    assert not (tmp_path / "none").exists()
