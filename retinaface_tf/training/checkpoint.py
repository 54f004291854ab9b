"""Saves and restores checkpoints: weights, momenta, moving averages and step, in a run's folder.

Beside each checkpoint are the weights for evaluation, averaged if the run averages weights.

The step is the optimizer's count. The data of a step are a function of its number, so resuming
needs nothing else.
"""

import logging
from dataclasses import fields
from pathlib import Path

import keras
import tensorflow as tf
import yaml

from retinaface_tf.config import Config
from retinaface_tf.config_file import RUN_CONFIG
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.files import write_text
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import SUFFIX, save_weights
from retinaface_tf.runtimes.locate import CHECKPOINTS
from retinaface_tf.runtimes.run_folder import (
    MODEL_KEYS,
    TENSORFLOW_LIST,
    check_same,
    differences,
    read_newest,
    saved_checkpoints,
)
from retinaface_tf.training.optimizer import CoupledSGD, copy_averaged

log = logging.getLogger(__name__)

# Settings on which a checkpoint and the order of data depend.
_RESUME_KEYS = (
    *MODEL_KEYS,
    "model.precision",
    "model.freeze",
    "optimizer.ema",
    "train.global_batch",
    "train.seed",
)
# Of the other settings, those that affect training; run_json.py compares the data.
_CHANGEABLE_KEYS = (
    *("data.image_size", "data.augmentation", "model.pretrained", "model.init"),
    *(
        f"{section}.{field.name}"
        for section in ("match", "loss", "optimizer", "schedule")
        for field in fields(getattr(Config(), section))
    ),
    *("train.epochs", "train.accumulate", "train.deterministic", "train.xla"),
)


class Checkpoints:
    """Saves and restores the checkpoints of one run, and keeps the newest few."""

    def __init__(
        self, config: Config, network: keras.Model, optimizer: CoupledSGD, *, is_chief: bool = True
    ):
        """Takes what a checkpoint holds; of several workers, only the chief writes."""
        self.config, self.is_chief = config, is_chief
        self.folder = Path(config.train.workdir) / CHECKPOINTS
        self._network, self._optimizer = network, optimizer
        self._averaged: keras.Model | None = None  # made on first use
        self._checkpoint = tf.train.Checkpoint(network=network, optimizer=optimizer)

    def restore(self) -> int:
        """Restores the newest readable checkpoint and returns its step; 0 if there is none at all.

        Raises:
            InputError: no checkpoint can be read, or the model or the order of data differs.
        """
        paths = saved_checkpoints(self.folder.parent)
        if not paths:
            return 0
        saved = check_same(self.config, _RESUME_KEYS, self.folder.parent)
        path = read_newest(paths, lambda path: _restore(self._checkpoint, path))
        if self.is_chief:
            if changed := differences(self.config, saved, _CHANGEABLE_KEYS):
                log.warning("%s: continuing with changed settings: %s", self.folder.parent, changed)
            self._set_aside(paths[: paths.index(path)])
            self._remove_old()
        return self.step

    def _set_aside(self, broken: list[str]) -> None:
        """Renames unreadable checkpoints, so that good ones are kept in their place."""
        for path in broken:
            for file in self.folder.glob(f"{Path(path).name}.*"):
                file.rename(file.with_name(f"broken-{file.name}"))

    @property
    def step(self) -> int:
        return int(self._optimizer.iterations.numpy())

    def save(self) -> None:
        """Writes a checkpoint of this step, then removes those beyond `train.keep_checkpoints`.

        Raises:
            InputError: the checkpoint cannot be written; earlier ones are still there.
        """
        if not self.is_chief:
            return
        try:
            save_config(self.config)
            self._save_weights()
            self._checkpoint.write(str(self.folder / f"step-{self.step}"))
            self._remove_old()
        except (OSError, InputError, tf.errors.OpError) as error:
            reason = one_line(error)
            raise InputError(
                f"{self.folder}: the checkpoint of step {self.step} cannot be written, earlier "
                f"ones are kept: {reason}"
            ) from None

    def _save_weights(self) -> None:
        """Writes the weights for evaluation: before the checkpoint, so that none lacks them."""
        network = self._network
        if self._optimizer.averages:
            if self._averaged is None:
                with tf.device("CPU:0"):
                    self._averaged = build_network(self.config)
            network = self._averaged
            copy_averaged(self._network, self._optimizer, network)
        save_weights(network, self.folder / f"step-{self.step}{SUFFIX}")

    def _remove_old(self) -> None:
        """Removes all but the newest checkpoints, and lists the newest for TensorFlow's tools."""
        names = [Path(path).name for path in saved_checkpoints(self.folder.parent)]
        kept = names[: self.config.train.keep_checkpoints]
        lines = [f'model_checkpoint_path: "{kept[0]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in reversed(kept)]
        write_text(self.folder / TENSORFLOW_LIST, "\n".join(lines) + "\n")
        # The index goes first: without it, the other files are ignored.
        files = sorted(self.folder.glob("step-*.*"), key=lambda file: file.suffix != ".index")
        for file in files:
            if file.name.partition(".")[0] not in kept:
                file.unlink()


def save_config(config: Config) -> None:
    """Writes the config beside the checkpoints, whole or not at all."""
    text = yaml.safe_dump(config.as_dict(), sort_keys=False)
    write_text(Path(config.train.workdir) / RUN_CONFIG, text)


def _restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    try:
        checkpoint.read(path).assert_existing_objects_matched().expect_partial()
    except Exception as error:  # TensorFlow has no exception of its own for damaged files
        reason = one_line(error)
        raise InputError(
            f"{path}: cannot be read as a checkpoint of this model: {reason}"
        ) from None
