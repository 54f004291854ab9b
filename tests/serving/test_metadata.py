"""Metadata of an exported model, written and read."""

import json
from dataclasses import replace

import pytest

from retinaface_tf.serving.metadata import DefaultThresholds, MeasuredAP, Metadata

SAMPLE = Metadata(
    source="runs/a/checkpoints/step-7",
    weights_sha256="0" * 64,
    evaluation=MeasuredAP({"easy": 0.9}, None, "2026-01-01T00:00:00+00:00"),
    parity={"images": 2, "other": 0},
    thresholds=DefaultThresholds(0.02, 0.4),
    max_detections=750,
    boxes="x1 y1 x2 y2",
    landmarks=("left_eye", "nose"),
    errors={0: "NONE", 1: "UNKNOWN_KIND"},
    versions={"tensorflow": "2.21.0"},
    date="2026-01-02T00:00:00+00:00",
    config={"detector": {"top_k": 5000}},
)


@pytest.mark.parametrize("sample", [SAMPLE, replace(SAMPLE, evaluation=None, parity=None)])
def test_metadata_is_read_as_it_was_written(tmp_path, sample):
    sample.save(tmp_path)
    assert Metadata.load(tmp_path) == sample
    assert Metadata.from_json(sample.to_json()) == sample


def test_the_keys_and_values_on_disk_stay(tmp_path):
    SAMPLE.save(tmp_path)
    written = json.loads((tmp_path / "assets.extra" / "retinaface.json").read_text())
    assert written == {
        "source": "runs/a/checkpoints/step-7",
        "weights_sha256": "0" * 64,
        "evaluation": {"ap": {"easy": 0.9}, "protocol": None, "date": "2026-01-01T00:00:00+00:00"},
        "parity": {"images": 2, "other": 0},
        "thresholds": {"score_threshold": 0.02, "nms_iou": 0.4},
        "max_detections": 750,
        "boxes": "x1 y1 x2 y2",
        "landmarks": ["left_eye", "nose"],
        "errors": {"0": "NONE", "1": "UNKNOWN_KIND"},
        "versions": {"tensorflow": "2.21.0"},
        "date": "2026-01-02T00:00:00+00:00",
        "config": {"detector": {"top_k": 5000}},
    }


@pytest.mark.parametrize("text", ["", "[]", '{"source": "a"}'])
def test_what_is_no_metadata_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        Metadata.from_json(text)
