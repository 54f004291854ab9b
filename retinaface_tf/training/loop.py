"""The run: from a config to checkpoints."""

import logging
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.pipeline import explain_unreadable, training_batches
from retinaface_tf.data.widerface import Records
from retinaface_tf.errors import InputError
from retinaface_tf.model.loading import load_weights
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.structures import Batch
from retinaface_tf.training.bad_batches import BadBatches
from retinaface_tf.training.checkpoint import Checkpoints, saved_checkpoints
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.optimizer import CoupledSGD, make_optimizer
from retinaface_tf.training.progress import Progress
from retinaface_tf.training.schedule import learning_rates
from retinaface_tf.training.step import TrainStep
from retinaface_tf.training.summary import logged, write_summary
from retinaface_tf.training.validation import Validation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What a run consists of."""

    config: Config
    records: Records
    strategy: tf.distribute.Strategy
    network: keras.Model
    optimizer: CoupledSGD
    checkpoints: Checkpoints
    validation: Validation | None
    rates: NDArray[np.float64]  # of each step
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        return len(self.rates)

    def next_steps(self, done: int) -> int:
        """How many steps may be made at once, so that nothing that is due is passed over."""
        train = self.config.train
        every = [train.log_steps, train.checkpoint_steps]
        if train.validate_epochs:
            every.append(train.validate_epochs * self.steps_per_epoch)
        until_due = [steps - done % steps for steps in every]
        return min(train.steps_per_call, self.total_steps - done, *until_due)

    def checkpoint_due(self, done: int) -> bool:
        return done % self.config.train.checkpoint_steps == 0 or done == self.total_steps

    def validation_due(self, done: int) -> bool:
        every = self.config.train.validate_epochs * self.steps_per_epoch
        return done % every == 0 or done == self.total_steps


def train(config: Config, *, resume: bool = True) -> bool:
    """Trains until the last epoch, or until SIGTERM asks to stop.

    Returns:
        Whether the run is complete; if not, all is saved and the same call goes on.

    Raises:
        InputError: whatever the user can mend.
    """
    run = prepare(config, resume=resume)
    with logged(Path(config.train.workdir)):
        start = run.checkpoints.restore()
        write_summary(config, run.records, run.strategy, start)
        _report(run, start)
        return _train(run, start)


def _train(run: Run, start: int) -> bool:
    """Trains from step `start`; see above."""
    stop = _StopSignal()
    bad = BadBatches(run.config, run.records, run.network)
    save_due = False
    with Progress(run.config, start, run.rates, run.steps_per_epoch, bad) as progress:
        for done, metrics in _steps(run, start, progress.show):
            progress.update(done, metrics)
            is_last = done == run.total_steps
            # A run that stops has no time to validate; one that ends has no other time.
            may_validate = is_last or not stop.asked
            if run.validation is not None and run.validation_due(done) and may_validate:
                progress.report(done)
                ap = run.validation.measure(run.network, run.optimizer, done)
                progress.validated(done, ap)
            stopping = stop.asked  # after validation, since a signal may have come meanwhile
            save_due = save_due or run.checkpoint_due(done)
            if save_due or stopping:
                progress.report(done)
                # In a row of skipped steps, what led to it may be in the weights: then wait.
                if is_last or not bad.in_a_row:
                    run.checkpoints.save()
                    save_due = False
            if stopping and not is_last:
                _tell_of_stop(done, lost=bad.in_a_row)
                return False
    return True


def _tell_of_stop(done: int, *, lost: int) -> None:
    told = "all saved; the same command goes on"
    if lost:
        told = f"in a row of {lost} skipped; the same command goes on from the last checkpoint"
    log.info("stopped at step %d, %s", done, told)


def prepare(config: Config, *, resume: bool = True) -> Run:
    """Reads labels and builds everything that a run needs."""
    workdir = Path(config.train.workdir)
    if not resume and (workdir / "checkpoints").exists():
        raise InputError(f"{workdir}: holds a run; --noresume does not overwrite it, move it away")
    records = training_set(config)
    steps_per_epoch = len(records) // config.train.global_batch
    if steps_per_epoch == 0:
        raise InputError(
            f"{records.label_file}: {len(records)} images to train on, expected at least a "
            f"global batch of {config.train.global_batch}"
        )
    workdir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.train.seed)
    strategy = make_strategy(config.train)
    rates = learning_rates(config, steps_per_epoch)
    with strategy.scope():
        network = _initial_network(config)
        optimizer = make_optimizer(config.optimizer, rates)
        optimizer.build(network.trainable_variables)
    return Run(
        config=config,
        records=records,
        strategy=strategy,
        network=network,
        optimizer=optimizer,
        checkpoints=Checkpoints(config, network, optimizer),
        validation=Validation(config) if config.train.validate_epochs else None,
        rates=rates,
        steps_per_epoch=steps_per_epoch,
    )


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


def _steps(
    run: Run, start: int, show: Callable[[Batch], None]
) -> Iterator[tuple[int, dict[str, tf.Tensor]]]:
    """Trains, and yields now and then the number of steps done and what the last ones told.

    Shows the first batch.
    """
    train = run.config.train
    batches = training_batches(
        run.records,
        run.config.data,
        batch=train.global_batch,
        seed=train.seed,
        start=start,
    )
    shared = run.strategy.experimental_distribute_dataset(batches)
    step = TrainStep(run.network, run.optimizer, run.config, run.strategy, shared.element_spec)
    done = start
    try:
        for batch in batches.take(1 if start < run.total_steps else 0):
            show(batch)
        iterator = iter(shared)
        while done < run.total_steps:
            count = run.next_steps(done)
            metrics = step.several(iterator, count)
            done += count
            yield done, metrics
    except tf.errors.OpError:
        fault = _unreadable(run, done)
        if fault is None:
            raise
        raise fault from None


def _unreadable(run: Run, done: int) -> InputError | None:
    """The image, if there is one, that stopped the pipeline after so many steps."""
    train = run.config.train
    return explain_unreadable(
        run.records,
        batch=train.global_batch,
        seed=train.seed,
        start=done,
        # It runs a few batches ahead of the step that hears of it.
        batches=train.steps_per_call + 8,
    )


class _StopSignal:
    """Remembers a SIGTERM until the step at hand is done."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


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


def _report(run: Run, start: int) -> None:
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
        len(run.records),
        run.steps_per_epoch,
        batch,
        config.train.batch_per_device,
        config.train.num_devices,
        batch // devices,
        devices,
    )
    if start:
        log.info("resuming at step %d of %d from %s", start, run.total_steps, config.train.workdir)
