"""Makes the strategy over all devices of a run."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import TrainConfig
from retinaface_tf.errors import InputError
from retinaface_tf.training.cluster import ALONE, Cluster
from retinaface_tf.training.rendezvous import await_partners


def make_strategy(config: TrainConfig, cluster: Cluster = ALONE) -> tf.distribute.Strategy:
    """Makes a strategy over all GPUs of all workers, or over those that `train.devices` numbers.

    Without a GPU the numbers mean logical CPU devices, of which there are `train.cpu_devices`. The
    first call must come before the program uses any device, since TensorFlow accepts no settings
    afterwards. With several workers, the call waits until all of them have made it.

    Raises:
        InputError: a device does not exist, another worker does not appear, the devices cannot
            share the global batch, or `train.xla` is set for several devices.
    """
    _configure(config)
    strategy = _mirrored(config) if cluster.is_alone else _multi_worker(config, cluster)
    _check_batch(config, strategy.num_replicas_in_sync)
    return strategy


def _mirrored(config: TrainConfig) -> tf.distribute.Strategy:
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    present = tf.config.list_logical_devices(kind)
    names = [present[number].name for number in _device_numbers(config, present)]
    return tf.distribute.MirroredStrategy(names)


def _multi_worker(config: TrainConfig, cluster: Cluster) -> tf.distribute.Strategy:
    gpus = tf.config.list_physical_devices("GPU")
    if config.cpu_devices > 1 and not gpus:
        raise InputError(
            f"train.cpu_devices: expected 1, as TensorFlow gives each of several workers only one "
            f"CPU device, found {config.cpu_devices}"
        )
    used = [gpus[number] for number in _device_numbers(config, gpus)] if gpus else []
    if used:
        tf.config.set_visible_devices(used, "GPU")
    await_partners(cluster)
    return tf.distribute.MultiWorkerMirroredStrategy(cluster.resolver(gpus=len(used)))


def _configure(config: TrainConfig) -> None:
    """Makes the settings that TensorFlow accepts only before its first use of a device."""
    [cpu] = tf.config.list_physical_devices("CPU")
    if config.cpu_devices > 1:
        logical = [tf.config.LogicalDeviceConfiguration()] * config.cpu_devices
        tf.config.set_logical_device_configuration(cpu, logical)
    if config.deterministic:
        keras.utils.set_random_seed(config.seed)
        tf.config.experimental.enable_op_determinism()
        # On CPUs, several threads would still add up in a varying order.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def _device_numbers(
    config: TrainConfig, present: Sequence[tf.config.LogicalDevice]
) -> tuple[int, ...]:
    wanted = config.devices
    if wanted is None:
        on_cpu = present[0].device_type == "CPU"
        return tuple(range(config.cpu_devices if on_cpu else len(present)))
    missing = [number for number in wanted if number >= len(present)]
    if missing or not wanted or len(set(wanted)) < len(wanted):
        raise InputError(
            f"train.devices: expected different numbers below {len(present)}, as there are "
            f"{len(present)} {present[0].device_type}(s), found {list(wanted)}"
        )
    return wanted


def _check_batch(config: TrainConfig, replicas: int) -> None:
    if config.global_batch % (replicas * config.accumulate):
        parts = f" in {config.accumulate} parts" if config.accumulate > 1 else ""
        raise InputError(
            f"train.batch_per_device x train.num_devices: a global batch of "
            f"{config.global_batch} cannot be shared by {replicas} devices{parts}"
        )
    if config.xla and replicas > 1:
        raise InputError(
            f"train.xla: expected one device, as compiled code cannot reach variables on several, "
            f"found {replicas}; choose one with train.devices"
        )


def gather_from_replicas(
    strategy: tf.distribute.Strategy, values: Sequence[float]
) -> NDArray[np.float64]:
    """Gathers `values` from each replica's worker [R, values]; all workers must call this."""

    def gather(local: tf.Tensor) -> tf.Tensor:
        return tf.distribute.get_replica_context().all_gather(local[None], axis=0)

    gathered = strategy.run(gather, args=(tf.constant(values, tf.float64),))
    return strategy.experimental_local_results(gathered)[0].numpy()


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Waits until every worker has reached this point."""
    gather_from_replicas(strategy, [0.0])
