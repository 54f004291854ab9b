"""Steps that were skipped, as their loss or gradient was not finite: told, kept, and bounded."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.pipeline import images_of_batches, training_batches
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.files import SUFFIX, save_weights
from retinaface_tf.training.checkpoint import save_config
from retinaface_tf.training.step import METRICS

FOLDER = "bad_batches"  # in the workdir
MOST_KEPT = 10

log = logging.getLogger(__name__)


class BadBatches:
    """Looks through what steps told for those that were skipped."""

    def __init__(
        self, config: Config, records: Records, network: keras.Model, *, keeps: bool = True
    ):
        """Keeps nothing unless `keeps`: of several workers, one does."""
        self.config, self.records, self.network = config, records, network
        self.keeps = keeps
        self.folder = Path(config.train.workdir) / FOLDER
        self.count = 0
        self.in_a_row = 0  # up to the last step seen

    def examine(self, first: int, metrics: Mapping[str, NDArray[np.float64]]) -> None:
        """Tells of each skipped step its images and what was not finite, and keeps its batch.

        Args:
            first: number of the first of these steps, from 1.
            metrics: METRICS of each step [count].

        Raises:
            InputError: `train.max_bad_steps` in a row were skipped.
        """
        table = np.stack([metrics[name] for name in METRICS], axis=1)
        for step, row in enumerate(table, start=first):
            if np.isfinite(row).all():
                self.in_a_row = 0
                continue
            self.count += 1
            self.in_a_row += 1
            told = ", ".join(
                f"{name} {value}"
                for name, value in zip(METRICS, row, strict=True)
                if not np.isfinite(value)
            )
            log.warning("step %d skipped: %s; %s", step, told, self._keep(step))
            if self.in_a_row >= self.config.train.max_bad_steps:
                raise InputError(
                    f"{self.config.train.workdir}: {self.in_a_row} steps in a row were not finite; "
                    f"the last checkpoint is kept, try a lower optimizer.learning_rate"
                )

    def _keep(self, step: int) -> str:
        """Names the images of a step, whose number brings its batch back, and keeps that.

        What goes wrong here is told and ends nothing.
        """
        order: dict[str, Any] = {
            "batch": self.config.train.global_batch,
            "seed": self.config.train.seed,
            "start": step - 1,
        }
        indices = images_of_batches(len(self.records), **order, batches=1)
        names = [str(self.records.images[i]) for i in indices]
        told = f"its images are {', '.join(names)}"
        file = self.folder / f"step-{step}.npz"
        if not self.keeps or len(list(self.folder.glob("*.npz"))) >= MOST_KEPT:
            return told
        try:
            batch = next(iter(training_batches(self.records, self.config.data, **order).take(1)))
            self.folder.mkdir(parents=True, exist_ok=True)
            faces = {name: part.numpy() for name, part in batch.faces._asdict().items()}
            np.savez_compressed(file, images=batch.images.numpy(), names=names, **faces)
            save_weights(self.network, file.with_suffix(SUFFIX))
            save_config(self.config)
        except (OSError, InputError, tf.errors.OpError) as error:
            return f"{told}; they could not be kept: {error}"
        return f"{told}; look with: python -m retinaface_tf.doctor replay {file}"
