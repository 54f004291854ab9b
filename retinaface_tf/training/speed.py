"""How fast this machine feeds a run and how fast it trains, each alone and both together."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.pipeline import training_batches
from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Batch
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.step import INPUT_WAIT, TrainStep

WARM_UP, LEAST = 2, 2  # batches before the clock runs, and on it


class Speed(NamedTuple):
    input: float  # images a second of the pipeline alone, from files to batches
    step: float  # of the step alone, its batch in memory
    training: float  # of both together
    input_wait: float  # share (0..1) of the time that training waited for a batch


def measure_speed(config: Config, seconds: float) -> Speed:
    """Measures a run with this config, each part for so many seconds; nothing is kept of it."""
    images = config.train.global_batch
    strategy = make_strategy(config.train)  # before anything else uses a device
    records = training_set(config)
    batches = training_batches(records, config.data, batch=images, seed=config.train.seed)
    alone = _pace(iter(batches).__next__, seconds)
    step = make_step(config, strategy, batches)

    def train_on(dataset: tf.data.Dataset) -> Callable[[], float]:
        iterator = iter(step.strategy.experimental_distribute_dataset(dataset))

        def train() -> float:
            metrics = step.several(iterator, 1)
            metrics["loss"].numpy()  # a GPU has done the step only when it tells what came of it
            return float(metrics[INPUT_WAIT][0])

        return train

    bare = _pace(train_on(repeat(next(iter(batches)), batches)), seconds)
    both = _pace(train_on(batches), seconds)
    return Speed(
        input=images / alone.seconds,
        step=images / bare.seconds,
        training=images / both.seconds,
        input_wait=float(np.mean(both.answers)) / both.seconds,
    )


def make_step(
    config: Config, strategy: tf.distribute.Strategy, batches: tf.data.Dataset
) -> TrainStep:
    """A step for these batches that trains random weights."""
    with strategy.scope():
        network = build_network(config)
        optimizer = make_optimizer(config.optimizer, np.zeros(1))  # at no rate: nothing diverges
        optimizer.build(network.trainable_variables)
    shared = strategy.experimental_distribute_dataset(batches)
    return TrainStep(network, optimizer, config, strategy, shared.element_spec)


def repeat(batch: Batch, batches: tf.data.Dataset) -> tf.data.Dataset:
    """One batch in memory for ever, as a dataset that tells as little of shapes as `batches`."""

    def forget(batch: Batch) -> Batch:
        return tf.nest.map_structure(
            lambda part, spec: tf.compat.v1.placeholder_with_default(part, spec.shape),
            batch,
            batches.element_spec,
        )

    return tf.data.Dataset.from_tensors(batch).repeat().map(forget)


class _Pace(NamedTuple):
    seconds: float  # that a batch takes
    answers: list[Any]  # what processing each returned


def _pace(process: Callable[[], Any], seconds: float) -> _Pace:
    for _ in range(WARM_UP):
        process()
    start = time.perf_counter()
    answers: list[Any] = []
    while len(answers) < LEAST or time.perf_counter() - start < seconds:
        answers.append(process())
    return _Pace((time.perf_counter() - start) / len(answers), answers)
