import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest

from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.training.cluster import ALONE
from retinaface_tf.training.prepare import check_workdir
from retinaface_tf.training.run import Run, log_compilations


def run_of(steps: int, *settings: str) -> Run:
    """Returns a run of so many steps, twenty an epoch, with nothing to train."""
    config = load_config("configs/res50.yaml", settings)
    nothing = dict.fromkeys(
        ("data", "strategy", "network", "optimizer", "checkpoints", "validation")
    )
    return Run(config, ALONE, rates=np.zeros(steps), steps_per_epoch=20, **nothing)


def stops(run: Run, start: int) -> list[int]:
    """Lists the steps at which a run comes back to Python."""
    done = [start]
    while done[-1] < run.total_steps:
        done.append(done[-1] + run.next_steps(done[-1]))
    return done[1:]


@pytest.mark.parametrize("start", [0, 7])
def test_several_steps_at_once_pass_over_nothing_that_is_due(start):
    run = run_of(
        75,
        "train.steps_per_call=9",
        "train.log_steps=12",
        "train.checkpoint_steps=30",
        "train.validate_epochs=2",
    )
    done = stops(run, start)
    due = {12, 24, 36, 48, 60, 72} | {30, 60} | {40} | {75}
    assert due <= set(done)
    assert np.diff([start, *done]).max() <= 9
    assert done[-1] == 75


def test_a_run_without_validation_stops_for_none():
    run = run_of(50, "train.steps_per_call=50", "train.log_steps=50", "train.validate_epochs=0")
    assert stops(run, 0) == [50]


def test_the_best_of_a_run_whose_checkpoints_are_gone_is_not_taken_for_this_ones(tmp_path):
    (tmp_path / "best.json").write_text("{}")
    with pytest.raises(InputError, match=r"best\.json: left by a run whose checkpoints are gone"):
        check_workdir(tmp_path, resume=True)


@pytest.mark.parametrize("folder", ["a?b", "a*/run", "[x", "x]/run", "a\\b"])
def test_a_folder_that_tensorflow_reads_as_a_pattern_is_refused_before_training(tmp_path, folder):
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / folder}: ")):
        check_workdir(tmp_path / folder, resume=True)
    assert not [*tmp_path.iterdir()]


def test_the_log_says_how_often_xla_may_compile_the_step(caplog):
    # Images of 3, 70 and no faces.
    data = SimpleNamespace(records=SimpleNamespace(splits=np.array([0, 3, 73, 73])))
    with caplog.at_level(logging.INFO):
        log_compilations(data)
    assert "4: 16, 32, 64, 128" in caplog.text
