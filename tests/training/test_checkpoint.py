import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_network
from retinaface_tf.runtimes.run_folder import load_network
from retinaface_tf.training.checkpoint import Checkpoints
from retinaface_tf.training.optimizer import make_optimizer


@pytest.fixture
def start(tmp_path):
    """Builds a run in tmp_path: its config, network, optimizer and checkpoints."""

    def build(*overrides: str, workdir: str = str(tmp_path)):
        config = load_config("configs/mobilenet025.yaml", [f"train.workdir={workdir}", *overrides])
        network = build_network(config)
        optimizer = make_optimizer(config.optimizer, np.array([0.1]))
        optimizer.build(network.trainable_variables)
        return config, network, optimizer, Checkpoints(config, network, optimizer)

    return build


def step(network, optimizer) -> None:
    gradients = [tf.ones(weight.shape) for weight in network.trainable_variables]
    optimizer.apply(gradients, network.trainable_variables)


def state(network, optimizer) -> list[np.ndarray]:
    return [variable.numpy() for variable in (*network.variables, *optimizer.variables)]


def test_restoring_gives_weights_momenta_averages_and_step_back(start):
    _, network, optimizer, checkpoints = start("optimizer.ema=0.5")
    step(network, optimizer)
    step(network, optimizer)
    checkpoints.save()
    _, fresh, fresh_optimizer, fresh_checkpoints = start("optimizer.ema=0.5")
    assert fresh_checkpoints.restore() == 2
    for ours, theirs in zip(state(fresh, fresh_optimizer), state(network, optimizer), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_only_the_newest_checkpoints_are_kept(start, tmp_path):
    _, network, optimizer, checkpoints = start("train.keep_checkpoints=1")
    for _ in range(3):
        step(network, optimizer)
        checkpoints.save()
    assert [path.name for path in tmp_path.rglob("*.index")] == ["step-3.index"]


def test_without_a_checkpoint_a_run_starts_at_step_0(start):
    assert start()[3].restore() == 0


def test_evaluation_takes_the_averaged_weights(start):
    config, network, optimizer, checkpoints = start("optimizer.ema=0.5")
    before = network.trainable_variables[0].numpy()
    step(network, optimizer)
    step(network, optimizer)
    checkpoints.save()
    _, loaded = load_network(config)
    average = optimizer.averages[0].numpy()
    np.testing.assert_array_equal(loaded.trainable_variables[0].numpy(), average)
    assert np.abs(average - before).max() > 0
    assert np.abs(average - network.trainable_variables[0].numpy()).max() > 0


def test_evaluation_knows_by_itself_what_the_run_froze(start, tmp_path):
    _, network, optimizer, checkpoints = start("optimizer.ema=0.5", "model.freeze=[stem]")
    step(network, optimizer)
    checkpoints.save()
    plain = load_config("configs/mobilenet025.yaml", [f"train.workdir={tmp_path}"])
    _, loaded = load_network(plain)
    for ours, theirs in zip(loaded.trainable_variables, optimizer.averages, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.backbone=resnet50", "model.backbone is resnet50 here and mobilenet025 there"),
        ("train.seed=2", "train.seed is 2 here and 1 there"),
        ("train.num_devices=2", "train.global_batch is 64 here and 32 there"),
        ("optimizer.ema=0.9", "optimizer.ema is 0.9 here and None there"),
        ("model.freeze=[stem]", r"model.freeze is \('stem',\) here and \(\) there"),
    ],
)
def test_resuming_as_another_run_is_refused_by_key(start, override, said):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    with pytest.raises(InputError, match=said):
        start(override)[3].restore()


def test_a_checkpoint_cut_short_is_refused_by_name(start, tmp_path):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    [data] = tmp_path.rglob("*.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(InputError, match="step-1: cannot be read as a checkpoint of this model"):
        start()[3].restore()


def cut(folder: Path, step: int) -> None:
    data = folder / "checkpoints" / f"step-{step}.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1000])


@pytest.mark.parametrize("shown", [str, os.path.relpath])
def test_where_the_newest_checkpoint_is_broken_the_one_before_serves(
    start, tmp_path, caplog, shown
):
    settings, workdir = ("train.keep_checkpoints=3",), {"workdir": shown(tmp_path)}
    config, network, optimizer, checkpoints = start(*settings, **workdir)
    weights = {}
    for number in (1, 2, 3):
        step(network, optimizer)
        weights[number] = network.get_weights()
        checkpoints.save()
    cut(tmp_path, 3)
    cut(tmp_path, 2)
    _, fresh, fresh_optimizer, fresh_checkpoints = start(*settings, **workdir)
    assert fresh_checkpoints.restore() == 1
    for ours, expected in zip(fresh.get_weights(), weights[1], strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert len(caplog.messages) == 2
    assert "step-3: cannot be read as a checkpoint of this model" in caplog.messages[0]
    assert caplog.messages[0].endswith("falling back to the one before")
    assert load_network(config)[0].endswith("step-1.weights.h5")
    # The broken ones are out of the way of the next.
    checkpoints = tmp_path / "checkpoints"
    assert {path.name for path in checkpoints.glob("*.index")} == {
        *("step-1.index", "broken-step-2.index", "broken-step-3.index")
    }
    step(fresh, fresh_optimizer)
    fresh_checkpoints.save()
    cut(tmp_path, 2)
    assert start(*settings, **workdir)[3].restore() == 1


def test_a_byte_that_changed_on_the_disk_is_noticed(start, tmp_path):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    [data] = tmp_path.rglob("*.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(InputError, match="step-1: cannot be read as a checkpoint of this model"):
        start()[3].restore()


def test_a_checkpoint_that_cannot_be_written_ends_in_one_line_and_keeps_those_before(
    start, tmp_path
):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    step(network, optimizer)
    (tmp_path / "checkpoints" / "step-2_temp").write_text("in the way")
    blocked = tmp_path / "checkpoints" / "step-2.index"
    blocked.mkdir()
    (blocked / "in the way").touch()
    with pytest.raises(
        InputError, match=r"checkpoints: the checkpoint of step 2 cannot be written"
    ):
        checkpoints.save()
    assert start()[3].restore() == 1


def test_weights_of_another_network_are_refused(start, tmp_path):
    _, network, _, _ = start()
    file = tmp_path / "mobile.weights.h5"
    network.save_weights(file)
    other = load_config("configs/res50.yaml", [f"eval.weights={file}"])
    with pytest.raises(
        InputError, match=r"mobile.weights.h5: not the weights of a retinaface_resnet50"
    ):
        load_network(other)


def test_weights_files_come_back_as_they_went(start, tmp_path):
    _, network, _, _ = start()
    file = tmp_path / "mobile.weights.h5"
    network.save_weights(file)
    _, loaded = load_network(load_config("configs/mobilenet025.yaml", [f"eval.weights={file}"]))
    for ours, theirs in zip(loaded.variables, network.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_checkpoints_whose_list_is_lost_are_not_passed_over(start, tmp_path):
    config, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    (tmp_path / "checkpoints" / "checkpoint").write_text("")
    with pytest.raises(InputError, match="checkpoint: cannot be read, yet there are checkpoints"):
        load_network(config)
