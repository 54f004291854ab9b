import logging
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_network import tiny_network

from retinaface_tf.config_file import load_config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.pipeline import TrainingData, sample_index
from retinaface_tf.doctor import replay
from retinaface_tf.doctor.replay import read_batch, read_network, replay_batch
from retinaface_tf.errors import InputError
from retinaface_tf.training import bad_batches
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.step import METRICS

BATCH = 4


@pytest.fixture
def bad(drawn, tmp_path, monkeypatch) -> BadBatches:
    """Returns the bad batches of a run that bears two skipped steps in a row, but not three."""
    config = load_config(
        "configs/quickstart.yaml",
        [
            f"data.root={drawn}",
            f"train.workdir={tmp_path / 'run'}",
            "data.image_size=64",
            f"train.batch_per_device={BATCH}",
            "train.max_bad_steps=3",
        ],
    )
    monkeypatch.setattr(replay, "build_network", tiny_network)
    data = TrainingData(training_set(config), config.data, BATCH, config.train.seed)
    return BadBatches(config, data, tiny_network(config))


def metrics_of(*losses: float) -> dict[str, np.ndarray]:
    """Returns METRICS of steps with these losses of landmarks, and the sum of losses."""
    landmarks = np.array(losses)
    metrics = {name: np.ones(len(losses)) for name in METRICS}
    return metrics | {"loss/landmarks": landmarks, "loss": 2 + landmarks}


def images_of(bad: BadBatches, step: int) -> list[str]:
    numbers = range((step - 1) * BATCH, step * BATCH)
    count, seed = len(bad.data.records), bad.config.train.seed
    indices = [int(sample_index(tf.constant(n, tf.int64), count, seed)) for n in numbers]
    return bad.data.records.images[indices].tolist()


def test_a_skipped_step_is_logged_with_its_images_and_what_broke(bad, caplog):
    with caplog.at_level(logging.WARNING):
        bad.examine(6, metrics_of(1.0, np.nan, 1.0))
    (message,) = caplog.messages
    assert message.startswith("step 7 ")
    assert "loss nan, loss/landmarks nan;" in message
    assert ", ".join(images_of(bad, 7)) in message
    assert bad.count == 1
    assert bad.in_a_row == 0


def test_its_batch_and_the_weights_are_kept_to_look_at(bad):
    bad.examine(2, metrics_of(np.inf))
    file = Path(bad.config.train.workdir) / "bad_batches" / "step-2.npz"
    names, batch = read_batch(file)
    assert names == images_of(bad, 2)
    assert batch.images.shape == (BATCH, 64, 64, 3)
    network = read_network(file, bad.config)
    for ours, kept in zip(bad.network.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, kept)
    losses, norm = replay_batch(network, batch, bad.config)
    assert np.isfinite([*losses.values(), [norm] * BATCH]).all()
    culprit = int(losses["landmarks"].argmax())
    batch.faces.landmarks[culprit] = np.inf
    losses, norm = replay_batch(network, batch, bad.config)
    assert not np.isfinite(norm)
    assert np.isfinite(losses["boxes"]).all()
    assert np.flatnonzero(~np.isfinite(losses["landmarks"])).tolist() == [culprit]


def test_too_many_skipped_in_a_row_end_the_run(bad, monkeypatch):
    monkeypatch.setattr(bad_batches, "MAX_KEPT", 0)
    bad.examine(1, metrics_of(np.nan, np.nan, 1.0, np.nan))
    assert bad.in_a_row == 1
    bad.examine(5, metrics_of(np.nan))
    with pytest.raises(InputError, match=r"run: 3 steps "):
        bad.examine(6, metrics_of(np.nan, 1.0))


@pytest.mark.parametrize("losses", [[np.nan, np.nan], [1.0, np.nan]])
def test_a_run_that_ends_with_skipped_steps_after_no_more_good_ones_is_refused(bad, losses):
    bad.examine(1, metrics_of(*losses))
    with pytest.raises(InputError, match=rf"run: {bad.count} of 2 steps "):
        bad.check_end()


@pytest.mark.parametrize("losses", [[np.nan, np.nan, 1.0], [1.0, 1.0, np.nan]])
def test_a_run_that_has_recovered_or_skips_its_last_step_alone_has_trained(bad, losses):
    bad.examine(1, metrics_of(*losses))
    bad.check_end()


def test_only_the_first_batches_are_kept(bad, monkeypatch, caplog):
    monkeypatch.setattr(bad_batches, "MAX_KEPT", 1)
    bad.examine(1, metrics_of(np.nan, 1.0, np.nan))
    assert [file.name for file in bad.folder.glob("*.npz")] == ["step-1.npz"]
    assert "doctor replay" in caplog.messages[0]
    assert "doctor replay" not in caplog.messages[1]


def test_a_batch_that_cannot_be_kept_ends_nothing(bad, caplog):
    bad.folder.parent.mkdir()
    bad.folder.write_text("a file in the place of the folder")
    bad.examine(1, metrics_of(np.nan, 1.0))
    (message,) = caplog.messages
    assert ", ".join(images_of(bad, 1)) in message
    assert str(bad.folder) in message


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more", b"images"])
def test_what_is_no_kept_batch_is_refused_by_name(tmp_path, content):
    file = tmp_path / "step-1.npz"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"step-1.npz: "):
        read_batch(file)


@pytest.mark.slow
def test_a_rate_that_breaks_training_ends_it_and_can_be_looked_into(command, drawn, tmp_path):
    workdir = tmp_path / "run"
    done = command(
        *("train.py", "--cfg", "configs/quickstart.yaml", "--workdir", workdir),
        *("--set", f"data.root={drawn}", "--set", "data.image_size=64"),
        *("--set", "train.batch_per_device=4", "--set", "optimizer.learning_rate=1e30"),
        *("--set", "train.max_bad_steps=4", "--set", "train.validate_epochs=0"),
        *("--set", "schedule.warmup_epochs=0", "--set", "train.checkpoint_steps=3"),
        *("--set", "train.log_steps=3", "--set", "train.steps_per_call=3"),
    )
    assert done.returncode == 1
    assert "4 steps in a row were not finite" in done.stderr.splitlines()[-1]
    # The checkpoint due at step 3, in a row of two, would have held what broke the run.
    assert not list((workdir / "checkpoints").glob("step-*"))
    file = sorted((workdir / "bad_batches").glob("*.npz"))[0]
    assert str(file) in done.stderr
    done = command("-m", "retinaface_tf.doctor", "replay", file)
    assert done.returncode == 2, done.stderr
    *images, verdict, _ = done.stdout.splitlines()
    assert len(images) == 4
    assert re.fullmatch(r"[1-4] of 4 images have a loss that is not finite", verdict)
