"""Logs, keeps and limits the steps skipped because a loss or gradient was not finite."""

import logging
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.pipeline import TrainingData
from retinaface_tf.errors import InputError
from retinaface_tf.files import atomic_file
from retinaface_tf.model.weights.files import SUFFIX, save_weights
from retinaface_tf.training.checkpoint import save_config
from retinaface_tf.training.leftovers import BAD_BATCHES
from retinaface_tf.training.step import METRICS

MAX_KEPT = 10

log = logging.getLogger(__name__)


class BadBatches:
    """Examines the metrics of steps to find those that were skipped."""

    def __init__(
        self, config: Config, data: TrainingData, network: keras.Model, *, is_chief: bool = True
    ):
        """Watches a run; of several workers, only the chief keeps batches."""
        self.config, self.data, self.network = config, data, network
        self.is_chief = is_chief
        self.folder = Path(config.train.workdir) / BAD_BATCHES
        self.count = 0
        self.in_a_row = 0  # up to the last step seen
        self._good = 0

    def examine(self, first: int, metrics: Mapping[str, NDArray[np.float64]]) -> None:
        """Logs the images and metrics of each skipped step, and keeps its batch.

        Args:
            first: number of the first of the steps, from 1.
            metrics: METRICS of each step [count].

        Raises:
            InputError: `train.max_bad_steps` steps in a row were skipped.
        """
        table = np.stack([metrics[name] for name in METRICS], axis=1)
        for step, row in enumerate(table, start=first):
            if np.isfinite(row).all():
                self.in_a_row = 0
                self._good += 1
                continue
            self.count += 1
            self.in_a_row += 1
            log.warning("step %d skipped: %s; %s", step, _name_broken(row), self._keep(step))
            if self.in_a_row >= self.config.train.max_bad_steps:
                raise InputError(
                    f"{self.config.train.workdir}: {self.in_a_row} steps in a row were not finite; "
                    f"the last checkpoint is kept; try a lower optimizer.learning_rate"
                )

    def check_end(self) -> None:
        """Checks that a run has trained, and has not ended with broken weights.

        Raises:
            InputError: at least half of the steps were skipped, including the last one.
        """
        if self.in_a_row and self.count >= self._good:
            raise InputError(
                f"{self.config.train.workdir}: {self.count} of {self.count + self._good} steps "
                f"were not finite, the last {self.in_a_row} in a row, so that the weights are not "
                f"saved; try a lower optimizer.learning_rate"
            )

    def _keep(self, step: int) -> str:
        """Keeps the batch of a step and the weights; returns a message of what was kept and where.

        If the batch cannot be kept, the run goes on.
        """
        indices = self.data.images_of(step - 1)
        names = [str(self.data.records.images[i]) for i in indices]
        message = f"its images are {', '.join(names)}"
        file = self.folder / f"step-{step}.npz"
        if not self.is_chief or len(list(self.folder.glob("*.npz"))) >= MAX_KEPT:
            return message
        try:
            self._write(file, step, names)
        except (OSError, InputError, tf.errors.OpError) as error:
            return f"{message}; they could not be kept: {error}"
        return f"{message}; examine with: python -m retinaface_tf.doctor replay {file}"

    def _write(self, file: Path, step: int, names: list[str]) -> None:
        batch = next(iter(self.data.batches(step - 1).take(1)))
        faces = {name: rows.numpy() for name, rows in batch.faces._asdict().items()}
        save_weights(self.network, file.with_suffix(SUFFIX))
        save_config(self.config)
        with atomic_file(file) as scratch:
            np.savez_compressed(scratch, images=batch.images.numpy(), names=names, **faces)


def _name_broken(row: NDArray[np.float64]) -> str:
    """Names those METRICS in a row [metrics] that are not finite, with their values."""
    values = zip(METRICS, row, strict=True)
    return ", ".join(f"{name} {value}" for name, value in values if not np.isfinite(value))
