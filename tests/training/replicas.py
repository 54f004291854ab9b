"""Trains a few steps on N logical devices and saves what came of it; test_replicas.py compares.

A process of its own each time: TensorFlow's collectives bear one strategy in a process.
Usage: python replicas.py N RUN RESULT.npz
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from retinaface_tf.config_file import load_config
from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Batch, Faces
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.step import METRICS, TrainStep

SIDE, BATCH = 64, 4
# All that could differ between replicas at once: batch norm, decay, averages, a rate that moves.
SETTINGS = (
    "model.backbone=mobilenet025",
    f"data.image_size={SIDE}",
    f"train.batch_per_device={BATCH}",
    "train.num_devices=1",
    "optimizer.ema=0.9",
)
# name -> steps, further settings
RUNS = {
    "float64": (10, ("model.precision=float64",)),
    "float64_clipped": (10, ("model.precision=float64", "optimizer.clip_norm=0.5")),
    "float32": (1, ()),
    "broken": (3, ("model.precision=float64",)),
}


def random_batch(seed: int, dtype: str = "uint8") -> Batch:
    """Images with 0, 1, 2 and 3 faces, the third without landmarks: uneven shares of a batch."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0.05, 0.4, (BATCH, 3, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0.2, 0.55, (BATCH, 3, 2))], axis=-1)
    faces = Faces(
        boxes=tf.constant(boxes, tf.float32),
        landmarks=tf.constant(random.uniform(0.1, 0.9, (BATCH, 3, 5, 2)), tf.float32),
        has_landmarks=tf.constant([[True, True, False]] * BATCH),
        valid=tf.sequence_mask(range(BATCH), 3),
    )
    images = tf.constant(random.integers(0, 256, (BATCH, SIDE, SIDE, 3)), tf.uint8)
    return Batch(images, faces, tf.range(BATCH, dtype=tf.int64))


def batches(steps: int, *, broken: int | None = None) -> tf.data.Dataset:
    """So many batches; the last image of batch `broken` breaks the loss of its replica alone."""
    every = [random_batch(seed) for seed in range(steps)]
    if broken is not None:
        landmarks = every[broken].faces.landmarks.numpy()
        landmarks[-1] = np.inf
        faces = every[broken].faces._replace(landmarks=tf.constant(landmarks))
        every[broken] = every[broken]._replace(faces=faces)
    together = tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *every)
    return tf.data.Dataset.from_tensor_slices(together).batch(BATCH, drop_remainder=True)


def train(replicas: int, steps: int, settings: tuple[str, ...], broken: int | None = None):
    """Metrics [steps, 6], and what the last step left: weights, statistics, momenta, averages."""
    devices = f"train.devices={list(range(replicas))}"
    config = load_config("configs/res50.yaml", [*SETTINGS, devices, *settings])
    keras.utils.set_random_seed(3)
    strategy = make_strategy(config.train)
    with strategy.scope():
        network = build_network(config)
        optimizer = make_optimizer(config.optimizer, np.geomspace(1e-4, 1e-5, steps))
        optimizer.build(network.trainable_variables)
    shared = strategy.experimental_distribute_dataset(batches(steps, broken=broken))
    step = TrainStep(network, optimizer, config, strategy, shared.element_spec)
    told = step.several(iter(shared), steps)
    metrics = np.stack([told[name].numpy() for name in METRICS], axis=1)
    return (
        {"metrics": metrics}
        | {f"network/{variable.path}": variable.numpy() for variable in network.variables}
        | {f"optimizer/{i}": variable.numpy() for i, variable in enumerate(optimizer.variables)}
    )


def main(replicas: int, run: str, result: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * replicas
    )
    np.savez(result, **train(replicas, *RUNS[run], broken=1 if run == "broken" else None))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
