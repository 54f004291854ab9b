"""Which devices a run uses, behind one strategy."""

import tensorflow as tf

from retinaface_tf.config import TrainConfig
from retinaface_tf.errors import InputError


def make_strategy(config: TrainConfig) -> tf.distribute.Strategy:
    """A strategy over all GPUs, or over the devices that `train.devices` numbers.

    Without a GPU the numbers mean logical CPU devices, of which there is one unless the program
    made more.

    Raises:
        InputError: no such device, the global batch does not divide among them, or they are several
            and XLA is to compile the step.
    """
    present = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    kind = present[0].device_type
    wanted = config.devices
    if wanted is None:
        wanted = tuple(range(len(present))) if kind == "GPU" else (0,)
    missing = [number for number in wanted if number >= len(present)]
    if missing or not wanted or len(set(wanted)) < len(wanted):
        raise InputError(
            f"train.devices: expected different numbers below {len(present)}, as there are "
            f"{len(present)} {kind}(s), found {list(wanted)}"
        )
    if config.global_batch % len(wanted):
        raise InputError(
            f"train.batch_per_device x train.num_devices: a global batch of "
            f"{config.global_batch} cannot be shared by {len(wanted)} devices"
        )
    if config.xla and len(wanted) > 1:
        raise InputError(
            f"train.xla: expected one device, as its code cannot reach the variables of several, "
            f"found {len(wanted)}; choose one by train.devices"
        )
    return tf.distribute.MirroredStrategy([present[number].name for number in wanted])
