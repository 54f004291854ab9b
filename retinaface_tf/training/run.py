"""Defines a run: its parts, and the steps at which it reports, saves and measures."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.pipeline import FACE_COUNTS, TrainingData
from retinaface_tf.training.checkpoint import Checkpoints
from retinaface_tf.training.cluster import Cluster
from retinaface_tf.training.devices import gather_from_replicas
from retinaface_tf.training.optimizer import CoupledSGD
from retinaface_tf.training.validation import Validation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """Holds the parts of a run on one of its workers."""

    config: Config
    cluster: Cluster
    data: TrainingData
    strategy: tf.distribute.Strategy
    network: keras.Model
    optimizer: CoupledSGD
    checkpoints: Checkpoints
    validation: Validation | None  # on the chief only
    rates: NDArray[np.float64]  # of each step
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        return len(self.rates)

    def batches(self, start: int) -> tf.data.Dataset:
        """Returns the batches from step `start` on; each worker makes those of its own replicas."""
        replicas = self.strategy.num_replicas_in_sync

        def local_batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
            count = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * count
            return self.data.batches(start, replicas=replicas, local=range(first, first + count))

        return self.strategy.distribute_datasets_from_function(local_batches)

    def gather(self, values: Sequence[float]) -> NDArray[np.float64]:
        """Gathers `values` of all replicas [R, values], the chief's first.

        All workers must call this at the same step.
        """
        if self.cluster.is_alone:
            return np.array([values], np.float64)
        return gather_from_replicas(self.strategy, values)

    def next_steps(self, done: int) -> int:
        """Returns how many steps one call may make without passing a step with something due."""
        train = self.config.train
        intervals = [train.log_steps, train.checkpoint_steps]
        if train.validate_epochs:
            intervals.append(self._validate_steps)
        until_due = [steps - done % steps for steps in intervals]
        return min(train.steps_per_call, self.total_steps - done, *until_due)

    def checkpoint_due(self, done: int) -> bool:
        return done % self.config.train.checkpoint_steps == 0 or done == self.total_steps

    def validation_due(self, done: int) -> bool:
        if not self.config.train.validate_epochs:
            return False
        return done % self._validate_steps == 0 or done == self.total_steps

    @property
    def is_stale(self) -> bool:
        """Tells, on the chief, whether `train.early_stop` measurements found no new best."""
        patience = self.config.train.early_stop
        if self.validation is None or patience is None:
            return False
        return self.validation.steps_since_best >= patience * self._validate_steps

    @property
    def _validate_steps(self) -> int:
        return self.config.train.validate_epochs * self.steps_per_epoch


def log_settings(run: Run, start: int) -> None:
    """Logs what a run that begins at step `start` is about to do."""
    config = run.config
    side, batch = config.data.image_size, config.train.global_batch
    replicas = run.strategy.num_replicas_in_sync
    weights = sum(int(keras.ops.size(w)) for w in run.network.trainable_variables)
    log.info(
        "%s: %s parameters, from %s", config.model.backbone, f"{weights:,}", _origin(config, start)
    )
    log.info("%s anchors at %d x %d", f"{config.anchors.count(side, side):,}", side, side)
    log.info(
        "%d images, %d steps per epoch; global batch %d (%d x %d in the recipe), %d on each of %d",
        *(len(run.data.records), run.steps_per_epoch, batch),
        *(config.train.batch_per_device, config.train.num_devices, batch // replicas, replicas),
    )
    names = [name.rpartition("/device:")[2] for name in run.strategy.extended.worker_devices]
    log.info(
        "devices of worker %d of %d: %s",
        *(run.cluster.index + 1, run.cluster.size, ", ".join(names)),  # such as GPU:0
    )
    log.info(
        "learning rate %g as configured, not scaled to the global batch of %d",
        *(config.optimizer.learning_rate, batch),
    )
    if config.train.xla:
        log_compilations(run.data)
    log_start(run, start)


def log_compilations(data: TrainingData) -> None:
    """Logs for how many batch shapes XLA may have to compile the step."""
    most = np.diff(data.records.splits).max()
    counts = FACE_COUNTS[: np.searchsorted(FACE_COUNTS, most) + 1]
    log.info(
        "train.xla: compiles the step once for each number of faces that occurs, of %d: %s",
        *(len(counts), ", ".join(map(str, counts))),
    )


def log_start(run: Run, start: int) -> None:
    """Logs where a run resumes, or that it is finished."""
    place = (start, run.total_steps, run.config.train.workdir)
    if start >= run.total_steps:
        log.info("finished at step %d of %d in %s; to train on, raise train.epochs", *place)
    elif start:
        log.info("resuming at step %d of %d from %s", *place)


def _origin(config: Config, start: int) -> str:
    """Returns in words where the weights come from; published APs start from ImageNet's."""
    model = config.model
    if start:
        return f"its checkpoint of step {start}"
    if model.init is not None:
        return model.init
    if model.pretrained is not None:
        return f"{model.pretrained} (backbone) and random weights"
    return "random weights"
