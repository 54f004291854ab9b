"""Examines a machine: versions, devices, and how fast it feeds and trains a run."""

import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.pipeline import TrainingData
from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Batch
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.run_json import PACKAGES, git_commit
from retinaface_tf.training.step import INPUT_WAIT, TrainStep

T = TypeVar("T")

WARM_UP, MIN_BATCHES = 2, 2  # before and during the measurement
NEGLIGIBLE_WAIT = 0.05  # fraction of the time


def examine_machine(config: Config, seconds: float) -> Iterator[str]:
    """Yields lines on versions, devices, what could be installed, and speed.

    Args:
        config: of the run whose speed is measured.
        seconds: how long to measure each part; 0 measures no speed.
    """
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    yield ", ".join([f"Python {platform.python_version()}", *packages])
    gpus = [gpu.name for gpu in tf.config.list_physical_devices("GPU")]
    yield f"{os.cpu_count()} CPUs, {', '.join(gpus) or 'no GPU'}"
    yield f"{platform.platform()}, commit {git_commit() or 'unknown'}"
    yield from advice(bool(gpus), shutil.which("nvidia-smi") is not None, _missing())
    if seconds:
        yield from _speed_lines(config, seconds)


def _speed_lines(config: Config, seconds: float) -> Iterator[str]:
    speed = measure_speed(config, seconds)
    model = f"{config.model.backbone}, {config.model.precision}, batch {config.train.global_batch}"
    yield f"input alone    {speed.input:8.1f} images/s, {config.data.image_size} pixels"
    yield f"step alone     {speed.step:8.1f} images/s, {model}"
    yield f"both together  {speed.training:8.1f} images/s, {speed.input_wait:.0%} waiting for input"
    yield bottleneck(speed.input / speed.step, speed.input_wait)


def advice(has_gpu: bool, has_driver: bool, missing: Mapping[str, list[str]]) -> Iterator[str]:
    """Yields what to install for a GPU that TensorFlow does not see, and for each extra."""
    if has_driver and not has_gpu:
        yield (
            "an NVIDIA driver is here, but TensorFlow sees no GPU: "
            "python -m pip install 'tensorflow[and-cuda]', as the extra `cuda` does"
        )
    for extra, packages in missing.items():
        names = " ".join(packages)
        yield f"extra `{extra}` is not installed: python -m pip install {names}"


def _missing() -> dict[str, list[str]]:
    """Returns, for each extra, the names of its packages that are not installed."""
    missing: dict[str, list[str]] = {}
    for requirement in requires("retinaface-tf") or ():
        found = re.match(r"([\w.-]+).*extra == [\"'](\w+)[\"']", requirement)
        if found and not _is_installed(found[1]):
            missing.setdefault(found[2], []).append(found[1])
    return missing


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def bottleneck(ratio: float, input_wait: float) -> str:
    """Says whether the input or the step limits the speed of a run.

    Args:
        ratio: speed of the input alone, divided by speed of the step alone.
        input_wait: fraction (0..1) of the time that training waited for a batch.
    """
    if ratio < 1:
        return (
            f"limited by the input, which could feed {ratio:.1f} such steps: it needs more CPU "
            f"cores, a faster disk, or smaller images on disk"
        )
    if input_wait > NEGLIGIBLE_WAIT:
        return f"input and step compete for the CPU: alone, the input could feed {ratio:.1f} steps"
    return f"limited by the step; the input could feed {ratio:.1f} such steps"


@dataclass(frozen=True)
class Speed:
    input: float  # images per second of the pipeline alone, from files to batches
    step: float  # of the step alone, with its batch in memory
    training: float  # of both together
    input_wait: float  # fraction (0..1) of the time that training waited for a batch


def measure_speed(config: Config, seconds: float) -> Speed:
    """Measures the speed of a run, each part for `seconds`; writes nothing to the workdir."""
    images = config.train.global_batch
    strategy = make_strategy(config.train)  # before anything else uses a device
    data = TrainingData(
        training_set(config),
        config.data,
        images,
        config.train.seed,
        few_face_counts=config.train.xla,
    )
    batches = data.batches()
    input_alone = _measure(iter(batches).__next__, seconds)
    step = make_step(config, strategy, batches)

    def train_on(dataset: tf.data.Dataset) -> Callable[[], float]:
        iterator = iter(step.strategy.experimental_distribute_dataset(dataset))

        def train() -> float:
            metrics = step.several(iterator, 1)
            metrics["loss"].numpy()  # waits until a GPU has finished the step
            return float(metrics[INPUT_WAIT][0])

        return train

    step_alone = _measure(train_on(repeat(next(iter(batches)), batches)), seconds)
    both = _measure(train_on(batches), seconds)
    return Speed(
        input=images / input_alone.seconds,
        step=images / step_alone.seconds,
        training=images / both.seconds,
        input_wait=float(np.mean(both.results)) / both.seconds,
    )


def make_step(
    config: Config, strategy: tf.distribute.Strategy, batches: tf.data.Dataset
) -> TrainStep:
    """Makes a step that trains random weights on these batches."""
    with strategy.scope():
        network = build_network(config)
        optimizer = make_optimizer(config.optimizer, np.zeros(1))  # rate 0: nothing diverges
        optimizer.build(network.trainable_variables)
    spec = strategy.experimental_distribute_dataset(batches).element_spec
    return TrainStep(network, optimizer, config, strategy, spec)


def repeat(batch: Batch, batches: tf.data.Dataset) -> tf.data.Dataset:
    """Repeats a batch in memory for ever, with shapes as open as those of `batches`."""

    @tf.autograph.experimental.do_not_convert
    def hide_shapes(batch: Batch) -> Batch:
        return tf.nest.map_structure(
            lambda rows, spec: tf.compat.v1.placeholder_with_default(rows, spec.shape),
            batch,
            batches.element_spec,
        )

    return tf.data.Dataset.from_tensors(batch).repeat().map(hide_shapes)


class _Timing(NamedTuple, Generic[T]):
    seconds: float  # per batch
    results: list[T]  # one for each call


def _measure(process: Callable[[], T], seconds: float) -> _Timing[T]:
    """Calls `process`, which takes one batch, for `seconds`."""
    for _ in range(WARM_UP):
        process()
    start = time.perf_counter()
    results: list[T] = []
    while len(results) < MIN_BATCHES or time.perf_counter() - start < seconds:
        results.append(process())
    return _Timing((time.perf_counter() - start) / len(results), results)
