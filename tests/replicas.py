"""Trains a few steps on N logical devices and saves what came of it; test_replicas.py compares.

A process of its own each time: TensorFlow's collectives bear one strategy in a process.
Usage: python replicas.py N RUN RESULT.npz, with TF_CONFIG for several workers of N devices each.
"""

import os
import sys

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
from tiny_backbone import tiny_backbone

from retinaface_tf.config_file import load_config
from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Batch, Faces
from retinaface_tf.training.cluster import find_cluster
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
    """Returns images with 0 to 3 faces, the third without landmarks: uneven shares."""
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


def batches(steps: int, *, broken: int | None = None) -> Batch:
    """Joins batches; the last image of batch `broken` breaks its replica's loss alone."""
    every = [random_batch(seed) for seed in range(steps)]
    if broken is not None:
        landmarks = every[broken].faces.landmarks.numpy()
        landmarks[-1] = np.inf
        faces = every[broken].faces._replace(landmarks=tf.constant(landmarks))
        every[broken] = every[broken]._replace(faces=faces)
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *every)


def shared(batches: Batch, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Returns the parts of this worker's replicas, one after the other."""
    replicas = context.num_replicas_in_sync
    local = replicas // context.num_input_pipelines
    first = context.input_pipeline_id * local

    def mine(part: tf.Tensor) -> tf.Tensor:
        size = BATCH // replicas
        parts = tf.reshape(part, [-1, replicas, size, *part.shape[1:]])[:, first : first + local]
        return tf.reshape(parts, [-1, size, *part.shape[1:]])

    return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(mine, batches))


@tiny_backbone()
def train(devices: int, steps: int, settings: tuple[str, ...], broken: int | None = None):
    """Metrics [steps, 6], and what the last step left: weights, statistics, momenta, averages."""
    cpus = f"train.cpu_devices={1 if 'TF_CONFIG' in os.environ else devices}"
    config = load_config("configs/res50.yaml", [*SETTINGS, cpus, *settings])
    keras.utils.set_random_seed(3)
    strategy = make_strategy(config.train, find_cluster(config.train))
    with strategy.scope():
        network = build_network(config)
        optimizer = make_optimizer(config.optimizer, np.geomspace(1e-4, 1e-5, steps))
        optimizer.build(network.trainable_variables)
    every = batches(steps, broken=broken)
    dataset = strategy.distribute_datasets_from_function(lambda context: shared(every, context))
    step = TrainStep(network, optimizer, config, strategy, dataset.element_spec)
    metrics = step.several(iter(dataset), steps)
    return (
        {"metrics": np.stack([metrics[name].numpy() for name in METRICS], axis=1)}
        | {f"network/{variable.path}": variable.numpy() for variable in network.variables}
        | {f"optimizer/{i}": variable.numpy() for i, variable in enumerate(optimizer.variables)}
    )


def use_all_cpu_devices(devices: int) -> None:
    """Lets logical CPU devices stand in for GPUs: a worker uses all of these, but one CPU."""

    def names(self, cluster_resolver, worker_device):
        return tuple(f"{worker_device}/device:CPU:{i}" for i in range(devices)), "CPU"

    CollectiveAllReduceExtended._initialize_local_devices = names
    [cpu] = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, logical)


def main(devices: int, run: str, result: str) -> None:
    # Optimising the graph takes longer than these few steps.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if "TF_CONFIG" in os.environ:
        use_all_cpu_devices(devices)
    np.savez(result, **train(devices, *RUNS[run], broken=1 if run == "broken" else None))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
