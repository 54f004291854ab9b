import logging
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_network import tiny_network

from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_network
from retinaface_tf.runtimes import run_folder
from retinaface_tf.runtimes.run_folder import load_network
from retinaface_tf.training import checkpoint
from retinaface_tf.training.checkpoint import Checkpoints
from retinaface_tf.training.optimizer import make_optimizer


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Builds a run in tmp_path: its config, network, optimizer and checkpoints."""

    def build(*overrides: str, workdir: str = str(tmp_path), build_network=tiny_network):
        for module in (checkpoint, run_folder):
            monkeypatch.setattr(module, "build_network", build_network)
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


def test_only_the_newest_checkpoints_are_kept_each_with_its_weights(start, tmp_path):
    _, network, optimizer, checkpoints = start("train.keep_checkpoints=2")
    kept = []
    for _ in range(3):
        step(network, optimizer)
        checkpoints.save()
        names = (path.name for path in (tmp_path / "checkpoints").glob("step-*"))
        kept.append(sorted(name for name in names if not name.endswith("-00001")))
    assert kept == [
        ["step-1.index", "step-1.weights.h5"],
        ["step-1.index", "step-1.weights.h5", "step-2.index", "step-2.weights.h5"],
        ["step-2.index", "step-2.weights.h5", "step-3.index", "step-3.weights.h5"],
    ]


def test_of_several_workers_only_the_chief_writes(start, tmp_path):
    config, network, optimizer, _ = start()
    Checkpoints(config, network, optimizer, is_chief=False).save()
    assert not [*tmp_path.iterdir()]


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
    settings = ("optimizer.ema=0.5", "model.freeze=[stem]")
    _, network, optimizer, checkpoints = start(*settings, build_network=build_network)
    step(network, optimizer)
    checkpoints.save()
    plain = load_config("configs/mobilenet025.yaml", [f"train.workdir={tmp_path}"])
    _, loaded = load_network(plain)
    expected = {variable.path: variable.numpy() for variable in network.variables}
    averages = zip(network.trainable_variables, optimizer.averages, strict=True)
    expected |= {weight.path: average.numpy() for weight, average in averages}
    for variable in loaded.variables:
        np.testing.assert_array_equal(variable.numpy(), expected[variable.path])


@pytest.mark.parametrize(
    ("override", "difference"),
    [
        ("model.backbone=resnet50", "model.backbone is resnet50 .* mobilenet025 "),
        ("train.seed=2", "train.seed is 2 .* 1 "),
        ("train.num_devices=2", "train.global_batch is 64 .* 32 "),
        ("optimizer.ema=0.9", "optimizer.ema is 0.9 .* None "),
        ("model.freeze=[stem]", r"model.freeze is \('stem',\) .* \(\) "),
    ],
)
def test_resuming_as_another_run_is_refused_by_key(start, override, difference):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    with pytest.raises(InputError, match=difference):
        start(override)[3].restore()


def cut(folder: Path, step: int) -> None:
    data = folder / "checkpoints" / f"step-{step}.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-10])


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
    assert "checkpoints/step-3: " in caplog.messages[0]
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


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("spoil", [cut_short, flip_a_bit])
def test_a_checkpoint_that_changed_on_the_disk_is_refused_by_name(start, tmp_path, spoil):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    [data] = tmp_path.rglob("*.data-00000-of-00001")
    data.write_bytes(spoil(data.read_bytes()))
    with pytest.raises(InputError, match=f"{tmp_path}/checkpoints/step-1: "):
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
    with pytest.raises(InputError, match=r"checkpoints: the checkpoint of step 2 "):
        checkpoints.save()
    assert start()[3].restore() == 1


def test_where_the_newest_weights_are_broken_those_before_are_evaluated(start, tmp_path, caplog):
    config, network, optimizer, checkpoints = start()
    for _ in range(2):
        step(network, optimizer)
        checkpoints.save()
    first, second = (tmp_path / "checkpoints" / f"step-{n}.weights.h5" for n in (1, 2))
    second.write_bytes(second.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        source, _ = load_network(config)
    assert source == str(first)
    assert [str(second) in message for message in caplog.messages] == [True]
    first.unlink()
    with pytest.raises(InputError, match=str(second)):
        load_network(config)


def lost(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\0")


def of_another_step(file: Path) -> None:
    file.write_text('model_checkpoint_path: "step-9"\n')


@pytest.mark.parametrize("damage", [lost, emptied, no_text, of_another_step])
def test_a_damaged_list_of_checkpoints_is_written_anew(start, tmp_path, damage):
    config, network, optimizer, checkpoints = start()
    for _ in range(2):
        step(network, optimizer)
        checkpoints.save()
    file = tmp_path / "checkpoints" / "checkpoint"
    damage(file)
    assert load_network(config)[0].endswith("step-2.weights.h5")
    assert start()[3].restore() == 2
    assert tf.train.latest_checkpoint(str(file.parent)).endswith("step-2")


def test_checkpoints_that_were_removed_are_not_passed_over(start, tmp_path):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    for file in (tmp_path / "checkpoints").glob("step-*"):
        file.unlink()
    with pytest.raises(InputError, match=f"{tmp_path}/checkpoints/checkpoint: "):
        start()[3].restore()


def test_checkpoints_beyond_those_to_keep_are_removed_as_a_run_goes_on(start, tmp_path):
    _, network, optimizer, checkpoints = start("train.keep_checkpoints=4")
    for _ in range(4):
        step(network, optimizer)
        checkpoints.save()
    # As if killed between the files of a checkpoint that was being removed.
    (tmp_path / "checkpoints" / "step-1.index").unlink()
    assert start("train.keep_checkpoints=2")[3].restore() == 4
    names = {path.name.split(".")[0] for path in (tmp_path / "checkpoints").iterdir()}
    assert names == {"checkpoint", "step-3", "step-4"}


def test_resuming_with_other_settings_warns_of_each_by_key(start, tmp_path, caplog):
    _, network, optimizer, checkpoints = start()
    step(network, optimizer)
    checkpoints.save()
    start("train.log_steps=7", "eval.iou=0.4")[3].restore()
    assert not caplog.messages
    changed = ("optimizer.learning_rate=0.5", "data.image_size=320", "data.augmentation=mindspore")
    start(*changed)[3].restore()
    (message,) = caplog.messages
    assert str(tmp_path) in message
    for setting in changed:
        key, _, value = setting.partition("=")
        assert f"{key} is {value} here" in message
