"""Checkpoints: weights, momenta, moving averages and step in one file, in a run's folder.

The step is the optimizer's count; as data is a function of it, it is all that resuming needs.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import yaml
from google.protobuf import text_format

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.model.loading import load_weights
from retinaface_tf.model.network import build_network
from retinaface_tf.training.atomic import write_whole
from retinaface_tf.training.optimizer import CoupledSGD, assign_averages, make_optimizer

CONFIG_FILE = "config.yaml"
log = logging.getLogger(__name__)

# What a checkpoint's tensors depend on, and besides, what the order of data depends on.
_MODEL_KEYS = ("model.backbone", "anchors.sizes", "anchors.variances", "anchors.clip")
_RESUME_KEYS = (
    *_MODEL_KEYS,
    "model.precision",
    "model.freeze",
    "optimizer.ema",
    "train.global_batch",
    "train.seed",
)


class Checkpoints:
    """The checkpoints of one run, of which the newest few are kept."""

    def __init__(
        self, config: Config, network: keras.Model, optimizer: CoupledSGD, *, writes: bool = True
    ):
        """Writes nothing unless `writes`: of several workers, one does."""
        self.config, self.writes = config, writes
        self.folder = Path(config.train.workdir) / "checkpoints"
        self._optimizer = optimizer
        self._checkpoint = _contents(network, optimizer)
        self._manager = self._make_manager()

    def _make_manager(self) -> tf.train.CheckpointManager:
        return tf.train.CheckpointManager(
            self._checkpoint,
            str(self.folder),
            max_to_keep=self.config.train.keep_checkpoints,
            checkpoint_name="step",
        )

    def restore(self) -> int:
        """Restores the newest checkpoint that can be read, if there is any; returns its steps.

        Raises:
            InputError: none can be read, or they are of another model or another data order.
        """
        paths = saved_checkpoints(self.folder.parent)
        if not paths:
            return 0
        check_same(self.config, _RESUME_KEYS)
        path = _restore_newest(self._checkpoint, paths)
        self._set_aside(paths[: paths.index(path)], path)
        return self.step

    def _set_aside(self, broken: list[str], newest: str) -> None:
        """Renames what could not be read, so that it does not take the places of good ones."""
        if not (broken and self.writes):
            return
        for path in broken:
            for file in self.folder.glob(f"{Path(path).name}.*"):
                file.rename(file.with_name(f"broken-{file.name}"))
        state = tf.train.get_checkpoint_state(str(self.folder))
        paths, times = state.all_model_checkpoint_paths, state.all_model_checkpoint_timestamps
        good = [pair for pair in zip(paths, times, strict=False) if pair[0] not in broken]
        # By their names alone: TensorFlow puts the folder before them whenever it reads the list.
        state.ClearField("all_model_checkpoint_paths")
        state.ClearField("all_model_checkpoint_timestamps")
        for path, time in good:
            state.all_model_checkpoint_paths.append(Path(path).name)
            state.all_model_checkpoint_timestamps.append(time)
        state.model_checkpoint_path = Path(newest).name
        write_whole(self.folder / "checkpoint", text_format.MessageToString(state))
        self._manager = self._make_manager()

    @property
    def step(self) -> int:
        return int(self._optimizer.iterations.numpy())

    def save(self) -> None:
        """Writes a checkpoint of this step; an older one goes only once it is complete.

        Raises:
            InputError: it cannot be written; those before are still there.
        """
        if not self.writes:
            return
        try:
            save_config(self.config)
            self._manager.save(checkpoint_number=self.step)
        except (OSError, tf.errors.OpError) as error:
            reason = one_line(error)[:120]
            raise InputError(
                f"{self.folder}: the checkpoint of step {self.step} cannot be written, those "
                f"before are kept: {reason}"
            ) from None


def load_network(config: Config) -> tuple[str, keras.Model]:
    """The network as evaluation and export want it: with averaged weights where the run kept them.

    Its weights are those of `eval.weights`, or else of the newest checkpoint of `train.workdir`.

    Returns:
        The path of the weights, and the network.

    Raises:
        InputError: nothing there, or something else than weights of this network.
    """
    if config.eval.weights is not None:
        network = build_network(config)
        load_weights(network, config.eval.weights)
        return config.eval.weights, network
    folder = Path(config.train.workdir)
    paths = saved_checkpoints(folder)
    if not paths:
        raise InputError(
            f"{folder / 'checkpoints'}: looked for a checkpoint, found none; make one with "
            f"`python train.py` and the same --cfg and --set, or name a file with --weights"
        )
    # What is frozen and averaged is the run's business, not that of the config given.
    run = check_same(config, _MODEL_KEYS)
    network = build_network(replace(config, model=replace(config.model, freeze=run.model.freeze)))
    optimizer = make_optimizer(run.optimizer, np.array([run.optimizer.learning_rate]))
    optimizer.build(network.trainable_variables)
    path = _restore_newest(_contents(network, optimizer), paths)
    assign_averages(optimizer, network)
    return path, network


def saved_checkpoints(workdir: Path) -> list[str]:
    """The checkpoints of a run, the newest first.

    Raises:
        InputError: there are some, but the file that tells which is the newest is gone or broken.
    """
    folder = workdir / "checkpoints"
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except (ValueError, tf.errors.OpError):
        state = None
    if state is not None:
        newest = state.model_checkpoint_path
        return [newest, *(p for p in state.all_model_checkpoint_paths[::-1] if p != newest)]
    if any(folder.glob("step-*.index")):
        raise InputError(
            f"{folder / 'checkpoint'}: cannot be read, yet there are checkpoints beside it; "
            f'expected a line such as model_checkpoint_path: "step-2000"'
        )
    return []


def check_same(config: Config, keys: tuple[str, ...]) -> Config:
    """Compares a config with the one that the run in its workdir was started with.

    Returns:
        The run's own config.

    Raises:
        InputError: naming each of `keys` that differs, and both values.
    """
    file = Path(config.train.workdir) / CONFIG_FILE
    saved = load_config(file)
    differing = [
        f"{key} is {_value(config, key)} here and {_value(saved, key)} there"
        for key in keys
        if _value(config, key) != _value(saved, key)
    ]
    if differing:
        raise InputError(f"{file}: its checkpoint is of another run: {'; '.join(differing)}")
    return saved


def save_config(config: Config) -> None:
    """Writes the config beside the checkpoints, whole or not at all."""
    text = yaml.safe_dump(config.as_dict(), sort_keys=False)
    write_whole(Path(config.train.workdir) / CONFIG_FILE, text)


def _value(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def _contents(network: keras.Model, optimizer: CoupledSGD) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(network=network, optimizer=optimizer)


def _restore_newest(checkpoint: tf.train.Checkpoint, paths: list[str]) -> str:
    """Restores the first of `paths` that can be read, and returns it; warns of those before it."""
    *newer, oldest = paths
    for path in newer:
        try:
            _restore(checkpoint, path)
        except InputError as error:
            log.warning("%s; falling back to the one before", error)
        else:
            return path
    _restore(checkpoint, oldest)
    return oldest


def _restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    try:
        checkpoint.restore(path).assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, AssertionError, ValueError, TypeError, IndexError) as error:
        reason = one_line(error)[:120]
        raise InputError(
            f"{path}: cannot be read as a checkpoint of this model: {reason}"
        ) from None
