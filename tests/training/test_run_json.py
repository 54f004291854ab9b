import json
from dataclasses import replace

import pytest
import tensorflow as tf

from retinaface_tf.config_file import load_config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.run_json import data_hash, write_run_json


@pytest.fixture
def config(drawn, tmp_path):
    settings = [f"data.root={drawn}", f"train.workdir={tmp_path}"]
    return load_config("configs/quickstart.yaml", settings)


def test_run_json_says_what_the_run_is(config, tmp_path):
    write_run_json(config, training_set(config), make_strategy(config.train), 40)
    summary = json.loads((tmp_path / "run.json").read_text())
    assert summary["start"] == 40
    assert summary["images"] == 16
    assert summary["config"]["train"]["workdir"] == str(tmp_path)
    assert summary["versions"]["tensorflow"] == tf.__version__
    assert len(summary["devices"]) == 1
    assert len(summary["data_sha256"]) == 64
    assert summary["git_commit"] is None or len(summary["git_commit"].rstrip("+")) == 40


@pytest.mark.parametrize("part", ["images", "splits", "boxes", "landmarks", "has_landmarks"])
def test_the_hash_of_the_data_changes_with_any_label(config, part):
    records = training_set(config)
    assert data_hash(records) == data_hash(training_set(config))
    changed = getattr(records, part).copy()
    changed[3] = "another.jpg" if part == "images" else ~changed[3] if changed.dtype == bool else 7
    assert data_hash(replace(records, **{part: changed})) != data_hash(records)
