"""Checkpoints: weights, momenta, moving averages and step in one file, in a run's folder.

Beside each checkpoint lie the weights that evaluation takes, averaged where the run averages.

The step is the optimizer's count. The data of a step are a function of its number, so that resuming
needs no more.
"""

import logging
from pathlib import Path

import keras
import tensorflow as tf
import yaml
from google.protobuf import text_format

from retinaface_tf.config import Config
from retinaface_tf.config_file import RUN_CONFIG
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.files import write_text
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import SUFFIX, save_weights
from retinaface_tf.runtimes.locate import CHECKPOINTS
from retinaface_tf.runtimes.run_folder import MODEL_KEYS, check_same, saved_checkpoints
from retinaface_tf.training.optimizer import CoupledSGD, copy_averaged

log = logging.getLogger(__name__)

# Settings that a checkpoint and the order of data depend on.
_RESUME_KEYS = (
    *MODEL_KEYS,
    "model.precision",
    "model.freeze",
    "optimizer.ema",
    "train.global_batch",
    "train.seed",
)


class Checkpoints:
    """Saves and restores the checkpoints of one run, of which the newest few are kept."""

    def __init__(
        self, config: Config, network: keras.Model, optimizer: CoupledSGD, *, is_chief: bool = True
    ):
        """Takes what a checkpoint holds; of several workers, the chief alone writes."""
        self.config, self.is_chief = config, is_chief
        self.folder = Path(config.train.workdir) / CHECKPOINTS
        self._network, self._optimizer = network, optimizer
        self._averaged: keras.Model | None = None  # made when it is needed
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
        """Restores the newest checkpoint that can be read and returns its step; 0 without any.

        Raises:
            InputError: none can be read, or they are of another model or another order of data.
        """
        paths = saved_checkpoints(self.folder.parent)
        if not paths:
            return 0
        check_same(self.config, _RESUME_KEYS, self.folder.parent)
        path = _restore_newest(self._checkpoint, paths)
        self._set_aside(paths[: paths.index(path)], path)
        return self.step

    def _set_aside(self, broken: list[str], newest: str) -> None:
        """Renames checkpoints that could not be read, so that good ones are kept in their place."""
        if not (broken and self.is_chief):
            return
        for path in broken:
            for file in self.folder.glob(f"{Path(path).name}.*"):
                file.rename(file.with_name(f"broken-{file.name}"))
        state = tf.train.get_checkpoint_state(str(self.folder))
        paths, times = state.all_model_checkpoint_paths, state.all_model_checkpoint_timestamps
        good = [pair for pair in zip(paths, times, strict=False) if pair[0] not in broken]
        # By name alone: TensorFlow puts the folder before the names whenever it reads the list.
        state.ClearField("all_model_checkpoint_paths")
        state.ClearField("all_model_checkpoint_timestamps")
        for path, time in good:
            state.all_model_checkpoint_paths.append(Path(path).name)
            state.all_model_checkpoint_timestamps.append(time)
        state.model_checkpoint_path = Path(newest).name
        write_text(self.folder / "checkpoint", text_format.MessageToString(state))
        self._manager = self._make_manager()

    @property
    def step(self) -> int:
        return int(self._optimizer.iterations.numpy())

    def save(self) -> None:
        """Writes a checkpoint of this step, then removes those beyond `train.keep_checkpoints`.

        Raises:
            InputError: the checkpoint cannot be written; those before are still there.
        """
        if not self.is_chief:
            return
        try:
            save_config(self.config)
            self._save_weights()
            self._manager.save(checkpoint_number=self.step)
            self._remove_old_weights()
        except (OSError, InputError, tf.errors.OpError) as error:
            reason = one_line(error)
            raise InputError(
                f"{self.folder}: the checkpoint of step {self.step} cannot be written, those "
                f"before are kept: {reason}"
            ) from None

    def _save_weights(self) -> None:
        """Writes the weights for evaluation; before the checkpoint, so that none is without."""
        network = self._network
        if self._optimizer.averages:
            if self._averaged is None:
                with tf.device("CPU:0"):
                    self._averaged = build_network(self.config)
            network = self._averaged
            copy_averaged(self._network, self._optimizer, network)
        save_weights(network, self.folder / f"step-{self.step}{SUFFIX}")

    def _remove_old_weights(self) -> None:
        kept = {f"{Path(path).name}{SUFFIX}" for path in self._manager.checkpoints}
        for file in self.folder.glob(f"step-*{SUFFIX}"):
            if file.name not in kept:
                file.unlink()


def save_config(config: Config) -> None:
    """Writes the config beside the checkpoints, whole or not at all."""
    text = yaml.safe_dump(config.as_dict(), sort_keys=False)
    write_text(Path(config.train.workdir) / RUN_CONFIG, text)


def _contents(network: keras.Model, optimizer: CoupledSGD) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(network=network, optimizer=optimizer)


def _restore_newest(checkpoint: tf.train.Checkpoint, paths: list[str]) -> str:
    """Restores the first of `paths` that can be read and returns its path; warns of the others."""
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
        reason = one_line(error)
        raise InputError(
            f"{path}: cannot be read as a checkpoint of this model: {reason}"
        ) from None
