"""Examines a machine: python -m retinaface_tf.doctor env [--cfg configs/res50.yaml].

Prints versions and devices, then how many images a second a run with this config gets from its
input alone, from its training step alone and from both together, and which of the two it waits for.
"""

import os
import platform
from importlib.metadata import version

from absl import flags

from retinaface_tf import cli
from retinaface_tf.data.dataset import training_set
from retinaface_tf.errors import InputError

PACKAGES = ("retinaface-tf", "tensorflow", "keras", "numpy")
IDLE = 0.05  # a share of waiting that is not worth a word

_SECONDS = flags.DEFINE_float("seconds", 10, "How long to measure each part.", lower_bound=0)


def main(arguments: list[str]) -> int:
    if arguments != ["env"]:
        raise InputError(
            f"expected python -m retinaface_tf.doctor env, found {' '.join(arguments) or 'nothing'}"
        )
    config = cli.read_config()
    records = training_set(config)
    cli.start_tensorflow()
    import tensorflow as tf

    from retinaface_tf.training.speed import measure_speed

    packages = [f"{name} {version(name)}" for name in PACKAGES]
    print(", ".join([f"Python {platform.python_version()}", *packages]))
    devices = tf.config.list_logical_devices("GPU") or ["no GPU"]
    names = [getattr(device, "name", device) for device in devices]
    print(f"{os.cpu_count()} CPUs, {', '.join(names)}")
    speed = measure_speed(config, records, _SECONDS.value)
    model = f"{config.model.backbone}, {config.model.precision}, batch {config.train.global_batch}"
    print(f"input alone    {speed.input:8.1f} images/s, {config.data.image_size} pixels")
    print(f"step alone     {speed.step:8.1f} images/s, {model}")
    print(
        f"both together  {speed.training:8.1f} images/s, {speed.input_wait:.0%} waiting for input"
    )
    print(verdict(speed.input / speed.step, speed.input_wait))
    return 0


def verdict(ratio: float, input_wait: float) -> str:
    """Which of the two a run waits for, by how many steps the input alone could feed."""
    if ratio < 1 or input_wait > IDLE:
        return (
            f"bound by the input, which could feed {ratio:.1f} of such a step: it needs more CPU "
            f"cores, a faster disk, or smaller images on it"
        )
    return f"bound by the step; the input could feed {ratio:.1f} of such a step"


if __name__ == "__main__":
    cli.run(main)
