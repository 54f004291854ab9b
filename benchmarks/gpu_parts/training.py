"""Times training steps from memory and from the pipeline, and trains twice to compare bits."""

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gpu_parts.clock import measure, tensorflow_memory
from gpu_parts.rows import Row
from gpu_parts.setting import Case, Setting, training_config
from retinaface_tf.config import Config

if TYPE_CHECKING:
    from retinaface_tf.training.step import TrainStep

STEPS = 20  # after which bits are compared


def train_from_memory(case: Case, setting: Setting) -> Iterator[Row]:
    """Measures the step on one batch that the device holds."""
    config, step, batches = _prepare(case, setting)
    yield _measure_step(f"{case}, from memory", config, setting, _repeat(step, batches))


def train_from_files(case: Case, setting: Setting) -> Iterator[Row]:
    """Measures the step from memory, the pipeline alone, and both together."""
    config, step, batches = _prepare(case, setting)
    yield _measure_step(f"{case}, from memory", config, setting, _repeat(step, batches))
    alone = iter(batches)
    timing = measure(lambda: next(alone).sample[0], setting.seconds, None)
    yield Row(f"{case}, pipeline alone", config.train.global_batch, timing.ms)
    iterator = iter(step.strategy.distribute_datasets_from_function(lambda _: batches))

    def train() -> Any:
        return step.several(iterator, 1)["loss"][0]

    yield _measure_step(f"{case}, from files", config, setting, train)


def train_to_bits(case: Case, setting: Setting) -> Iterator[Row]:
    """Trains for a few steps; equal digests of two such parts mean equality bit for bit.

    The learning rate is zero, but the optimizer's velocities hold every gradient.
    """
    config, step, batches = _prepare(case, setting)
    for batch in batches.take(STEPS):
        step(batch)
    digest = hashlib.sha256()
    for variable in (*step.network.variables, *step.optimizer.variables):
        digest.update(variable.numpy().tobytes())
    yield Row(f"{case}, {STEPS} steps", digest=digest.hexdigest())
    yield _measure_step(f"{case}, from memory", config, setting, _repeat(step, batches))


def _prepare(case: Case, setting: Setting) -> tuple[Config, "TrainStep", Any]:
    """Returns a case's config, its step and the dataset of its batches."""
    import keras

    from retinaface_tf.data.dataset import training_set
    from retinaface_tf.data.pipeline import TrainingData
    from retinaface_tf.doctor.machine import make_step
    from retinaface_tf.training.devices import make_strategy

    config = training_config(case, setting)
    strategy = make_strategy(config.train)
    keras.utils.set_random_seed(config.train.seed)
    data = TrainingData(
        training_set(config), config.data, config.train.global_batch, config.train.seed
    )
    batches = data.batches()
    step = make_step(config, strategy, batches)
    if case.synchronised:
        # Does what the layer does with several replicas, without waiting for a second one.
        for layer in step.network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
    return config, step, batches


def _repeat(step: "TrainStep", batches: Any) -> Callable[[], Any]:
    """Returns a step on the first batch, whose images are already on the device."""
    import tensorflow as tf

    batch = next(iter(batches))
    [device] = step.strategy.extended.worker_devices
    with tf.device(device):
        batch = batch._replace(images=tf.identity(batch.images))
    return lambda: step(batch)["loss"]


def _measure_step(name: str, config: Config, setting: Setting, work: Callable[[], Any]) -> Row:
    timing = measure(work, setting.seconds, tensorflow_memory())
    return setting.training_row(name, config, timing)
