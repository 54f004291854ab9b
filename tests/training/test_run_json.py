import json
from dataclasses import replace

import pytest
import tensorflow as tf

from retinaface_tf.config_file import load_config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.run_json import data_hash, warn_of_other_data, write_run_json


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


def test_going_on_with_other_labels_warns_of_both(config, tmp_path, caplog):
    records = training_set(config)
    warn_of_other_data(config, records)  # there is no run yet
    write_run_json(config, records, make_strategy(config.train), 0)
    warn_of_other_data(config, records)
    assert not caplog.messages
    boxes = records.boxes + 1
    label_file = tmp_path / "others.txt"
    warn_of_other_data(config, replace(records, boxes=boxes, label_file=label_file))
    (message,) = caplog.messages
    assert str(label_file) in message
    assert str(records.label_file) in message
    assert data_hash(records)[:12] in message


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"config": 3}'])
def test_a_damaged_run_json_gives_a_warning(config, tmp_path, content, caplog):
    (tmp_path / "run.json").write_bytes(content)
    warn_of_other_data(config, training_set(config))
    assert [str(tmp_path / "run.json") in message for message in caplog.messages] == [True]
