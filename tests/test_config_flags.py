"""Which config the flags of a command name, in the ways that there are to name a run."""

from pathlib import Path

import pytest
import yaml
from absl import flags
from absl.testing import flagsaver

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.config_flags import read_config
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS
from retinaface_tf.runtimes.opening import find_config


@pytest.fixture(autouse=True)
def parsed():
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["command"])


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """Returns the folder of a run, moved to `runs/mine` of the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    config = load_config("mobilenet025", ["train.seed=77", "train.workdir=/before"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config.as_dict()))
    (folder / "best.weights.h5").touch()
    return Path("runs/mine")


def read(weights: str | None = None, **given: object) -> Config:
    with flagsaver.flagsaver(**given):
        return read_config(weights=weights, find_config=find_config)


@pytest.mark.parametrize(
    ("weights", "given"),
    [
        (None, {"cfg": "runs/mine"}),
        (None, {"workdir": "runs/mine"}),
        ("runs/mine", {}),
        ("runs/mine/best.weights.h5", {}),
    ],
    ids=["--cfg", "--workdir", "--weights", "--weights of a file"],
)
def test_a_run_is_named_in_four_ways_with_its_own_config(run, weights, given):
    config = read(weights, set=["train.log_steps=3"], **given)
    assert (config.train.seed, config.train.log_steps) == (77, 3)
    assert (config.train.workdir, config.eval.weights) == ("runs/mine", weights)


def test_a_config_that_is_named_wins_over_that_of_the_weights(run):
    config = read("runs/mine", cfg="res50")
    assert config.model.backbone == "resnet50"
    assert config.eval.weights == "runs/mine"


def test_a_workdir_that_holds_no_run_yet_is_a_setting_alone(run):
    config = read(workdir="runs/new")
    assert config == load_config("res50", ["train.workdir=runs/new"])


def test_without_flags_the_config_is_res50(run):
    assert read() == load_config("res50")


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ({}, DEFAULT_WEIGHTS),
        ({"set": ["detector.nms_iou=0.3"]}, DEFAULT_WEIGHTS),
        ({"cfg": "quickstart"}, None),
        ({"workdir": "runs/mine"}, None),
        ({"set": ["train.workdir=runs/mine"]}, None),
        ({"set": ["eval.weights=mine.pth"]}, "mine.pth"),
    ],
)
def test_default_weights_are_taken_where_no_flag_names_weights_or_a_run(run, given, weights):
    with flagsaver.flagsaver(**given):
        config = read_config(default_weights=DEFAULT_WEIGHTS, find_config=find_config)
    assert config.eval.weights == weights


def test_an_exported_model_is_evaluated_by_the_settings_of_res50(run):
    (run.parent / "model.onnx").touch()
    assert read("runs/model.onnx").data == load_config("res50").data


def test_the_last_word_is_that_of_a_flag_of_the_command(run):
    with flagsaver.flagsaver(set=["eval.protocol=vga"]):
        assert read_config(eval__protocol="original", eval__out=None).eval.protocol == "original"


@pytest.mark.parametrize("name", ["😀", "a: b # c", 'quo"te\\', "tab\t", "ä\u2028", "~", "12", ""])
def test_a_folder_may_have_any_name(name):
    assert read(workdir=f"{name}").train.workdir == name
    assert read(weights=f"{name}.h5", cfg="res50").eval.weights == f"{name}.h5"


def test_the_folder_of_a_run_may_have_any_name(run):
    moved = run.rename(run.with_name("😀 \\ #"))
    assert load_config(moved).train.workdir == str(moved)
