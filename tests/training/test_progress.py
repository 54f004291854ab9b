import io
import logging
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tensorflow as tf
from training.test_run import run_of

from retinaface_tf.errors import InputError
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.progress import Progress
from retinaface_tf.training.run import log_start
from retinaface_tf.training.step import INPUT_WAIT, METRICS


def test_events_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"^\S+/tensorboard: .*") as raised:
        Progress(run_of(5, f"train.workdir={tmp_path}"), start=0, bad=None)
    assert "\n" not in str(raised.value)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 120])
def test_a_bar_and_the_rate_fit_on_a_terminal(tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    run = run_of(40_200, f"train.workdir={tmp_path}")
    run = replace(run, data=SimpleNamespace(batch=32))
    bad = BadBatches(run.config, run.data, network=None)
    metrics = {name: tf.constant([123.456] * 20) for name in (*METRICS, INPUT_WAIT)}
    with Progress(run, 39_980, bad) as progress:
        progress.since -= 6  # seconds
        progress.update(40_000, metrics)
    last = terminal.getvalue().split("\r")[-1].strip()
    assert re.search(r"\|[^|]{10}\|", last)
    assert "40000/40200" in last
    assert re.search(r"\d images/s, loss 123\.456$", last)
    assert len(last) < columns


@pytest.mark.parametrize("start", [50, 60])
def test_a_run_that_is_finished_says_so(tmp_path, caplog, start):
    run = run_of(50, f"train.workdir={tmp_path}")
    with caplog.at_level(logging.INFO):
        log_start(run, start)
    assert "finished at step" in caplog.text
    assert str(tmp_path) in caplog.text
    assert "resuming" not in caplog.text
