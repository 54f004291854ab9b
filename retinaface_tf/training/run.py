"""What a run consists of, built from its config."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.pipeline import training_batches
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.model.weights.files import load_weights
from retinaface_tf.runtimes.run_folder import saved_checkpoints
from retinaface_tf.training.checkpoint import Checkpoints
from retinaface_tf.training.cluster import ALONE, Cluster
from retinaface_tf.training.devices import make_strategy, of_each_replica, wait_for_all
from retinaface_tf.training.optimizer import CoupledSGD, make_optimizer
from retinaface_tf.training.schedule import learning_rates
from retinaface_tf.training.validation import BEST_REPORT, Validation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What a run consists of."""

    config: Config
    cluster: Cluster
    records: Records
    strategy: tf.distribute.Strategy
    network: keras.Model
    optimizer: CoupledSGD
    checkpoints: Checkpoints
    validation: Validation | None  # the chief's alone
    rates: NDArray[np.float64]  # of each step
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        return len(self.rates)

    @property
    def order(self) -> dict[str, Any]:
        """What the order of data depends on."""
        return {"batch": self.config.train.global_batch, "seed": self.config.train.seed}

    def batches(self, start: int) -> tf.data.Dataset:
        """The batches from step `start`, each replica's part with it; a worker makes its own."""
        replicas = self.strategy.num_replicas_in_sync

        def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * local
            return training_batches(
                self.records,
                self.config.data,
                **self.order,
                start=start,
                parts=replicas,
                mine=range(first, first + local),
            )

        return self.strategy.distribute_datasets_from_function(parts)

    def highest(self, number: int) -> int:
        """The highest number that any worker hands in; all must ask at the same time."""
        if self.cluster.is_alone:
            return number
        return int(of_each_replica(self.strategy, number).max())

    def next_steps(self, done: int) -> int:
        """How many steps may be made at once, so that nothing that is due is passed over."""
        train = self.config.train
        every = [train.log_steps, train.checkpoint_steps]
        if train.validate_epochs:
            every.append(self._validate_steps)
        until_due = [steps - done % steps for steps in every]
        return min(train.steps_per_call, self.total_steps - done, *until_due)

    def checkpoint_due(self, done: int) -> bool:
        return done % self.config.train.checkpoint_steps == 0 or done == self.total_steps

    def validation_due(self, done: int) -> bool:
        if not self.config.train.validate_epochs:
            return False
        return done % self._validate_steps == 0 or done == self.total_steps

    @property
    def is_stale(self) -> bool:
        """Whether so many measurements found nothing better that the run should end."""
        patience = self.config.train.early_stop
        if self.validation is None or patience is None:
            return False
        return self.validation.steps_since_best >= patience * self._validate_steps

    @property
    def _validate_steps(self) -> int:
        return self.config.train.validate_epochs * self.steps_per_epoch


def prepare(config: Config, cluster: Cluster = ALONE, *, resume: bool = True) -> Run:
    """Reads labels and builds everything that a run needs, on one of its workers."""
    workdir = Path(config.train.workdir)
    if not resume and (workdir / "checkpoints").exists():
        raise InputError(f"{workdir}: holds a run; --noresume does not overwrite it, move it away")
    if (workdir / BEST_REPORT).exists() and not saved_checkpoints(workdir):
        raise InputError(
            f"{workdir / BEST_REPORT}: is of a run whose checkpoints are gone; move it away"
        )
    strategy = make_strategy(config.train, cluster)  # before anything else uses a device
    records = _training_set(config, cluster, strategy)
    steps_per_epoch = len(records) // config.train.global_batch
    if steps_per_epoch == 0:
        raise InputError(
            f"{records.label_file}: {len(records)} images to train on, expected at least a "
            f"global batch of {config.train.global_batch}"
        )
    workdir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.train.seed)
    rates = learning_rates(config, steps_per_epoch)
    with strategy.scope():
        network = _initial_network(config)
        optimizer = make_optimizer(config.optimizer, rates)
        optimizer.build(network.trainable_variables)
    return Run(
        config=config,
        cluster=cluster,
        records=records,
        strategy=strategy,
        network=network,
        optimizer=optimizer,
        checkpoints=Checkpoints(config, network, optimizer, writes=cluster.is_chief),
        validation=(
            Validation(config) if config.train.validate_epochs and cluster.is_chief else None
        ),
        rates=rates,
        steps_per_epoch=steps_per_epoch,
    )


def _training_set(config: Config, cluster: Cluster, strategy: tf.distribute.Strategy) -> Records:
    """Reads it on the chief first, who may have to draw it."""
    if not cluster.is_chief:
        wait_for_all(strategy)
    records = training_set(config)
    if cluster.is_chief and not cluster.is_alone:
        wait_for_all(strategy)
    return records


def _initial_network(config: Config) -> keras.Model:
    network = build_network(config)
    if saved_checkpoints(Path(config.train.workdir)):
        return network  # a run that goes on takes nothing but its own weights
    if config.model.freeze and config.model.init is None and config.model.pretrained is None:
        raise InputError(
            "model.freeze: would freeze random weights, expected model.pretrained or model.init too"
        )
    if config.model.init is not None:
        load_weights(network, config.model.init)
    elif config.model.pretrained is not None:
        backbone = build_backbone(config.model)
        load_weights(backbone, config.model.pretrained)
        for layer in backbone.layers:
            network.get_layer(layer.name).set_weights(layer.get_weights())
    return network


def _origin(run: Run, start: int) -> str:
    """What the weights come from, in words; published AP come from ImageNet's."""
    model = run.config.model
    if start:
        return f"its checkpoint of step {start}"
    if model.init is not None:
        return model.init
    if model.pretrained is not None:
        return f"{model.pretrained} (backbone) and random weights"
    return "random weights"


def _devices(strategy: tf.distribute.Strategy) -> list[str]:
    """Such as GPU:0."""
    return [name.rpartition("/device:")[2] for name in strategy.extended.worker_devices]


def describe(run: Run, start: int) -> None:
    """Logs what a run that begins at step `start` is about to do."""
    config = run.config
    side, batch = config.data.image_size, config.train.global_batch
    devices = run.strategy.num_replicas_in_sync
    weights = sum(int(keras.ops.size(w)) for w in run.network.trainable_variables)
    log.info(
        "%s: %s parameters, from %s", config.model.backbone, f"{weights:,}", _origin(run, start)
    )
    log.info("%s anchors at %d x %d", f"{config.anchors.count(side, side):,}", side, side)
    log.info(
        "%d images, %d steps an epoch; global batch %d (%d x %d in the recipe), %d on each of %d",
        *(len(run.records), run.steps_per_epoch, batch),
        *(config.train.batch_per_device, config.train.num_devices, batch // devices, devices),
    )
    log.info(
        "devices of worker %d of %d: %s",
        *(run.cluster.index + 1, run.cluster.size, ", ".join(_devices(run.strategy))),
    )
    log.info(
        "learning rate %g for a global batch of %d, as configured: it is not scaled with the batch",
        *(config.optimizer.learning_rate, batch),
    )
    if start:
        log.info("resuming at step %d of %d from %s", start, run.total_steps, config.train.workdir)
