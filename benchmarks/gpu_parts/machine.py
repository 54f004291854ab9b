"""Examines the machine: device and matrix rate; draws faces, and counts a step's operations."""

import json
import statistics
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import float_operations

from gpu_parts.clock import measure
from gpu_parts.rows import Row
from gpu_parts.setting import SIDES, Case, Setting, side_of, training_config
from retinaface_tf.errors import InputError

TRAIN_IMAGES, SMOKE_IMAGES = 200, 8
VAL_IMAGES = 2  # one of them to compare an export on


def examine(setting: Setting) -> Iterator[Row]:
    """Writes facts.json and the data of all other parts.

    Raises:
        InputError: there is no GPU, and `setting.smoke` is not set.
    """
    from retinaface_tf.data.synthetic.scenes import draw_dataset

    yield Row("device", note=_describe_device(setting))
    ms = _multiply(setting)
    size = _matrix_side(setting)
    matrix_rate = 2 * size**3 * _PRODUCTS / statistics.median(ms) * 1e3
    yield Row("bfloat16 matrix rate", note=f"{matrix_rate / 1e12:.3g} TFLOP/s")
    images = SMOKE_IMAGES if setting.smoke else TRAIN_IMAGES
    draw_dataset(setting.folder / "faces", images, VAL_IMAGES)
    facts = {
        "matrix_rate": matrix_rate,
        "operations": {backbone: _operations(backbone, setting) for backbone in SIDES},
    }
    (setting.folder / "facts.json").write_text(json.dumps(facts))
    for backbone, count in facts["operations"].items():
        side = side_of(backbone, setting)
        note = f"{count / 1e9:.1f} GFLOP forward, an image of {side} x {side}"
        yield Row(f"{backbone}, operations", note=note)


def _describe_device(setting: Setting) -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus and not setting.smoke:
        raise InputError("TensorFlow sees no GPU; --smoke runs everything tiny on a CPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    name = details.get("device_name", "CPU")
    build = tf.sysconfig.get_build_info()
    versions = [f"{package} {version(package)}" for package in ("tensorflow", "keras")]
    versions += [f"{key.removesuffix('_version')} {build.get(key)}" for key in _BUILT_FOR]
    return ", ".join([name, *versions])


_BUILT_FOR = ("cuda_version", "cudnn_version")
_PRODUCTS = 8  # in a call


def _matrix_side(setting: Setting) -> int:
    return 256 if setting.smoke else 8192


def _multiply(setting: Setting) -> tuple[float, ...]:
    """Returns the milliseconds of `_PRODUCTS` consecutive products."""
    import tensorflow as tf

    side = _matrix_side(setting)
    # Values keep a usual magnitude, as a card computes zeros with less power, and faster.
    factor = tf.cast(tf.random.normal([side, side]) / side**0.5, tf.bfloat16)

    @tf.function
    def multiply(product: Any) -> Any:
        for _ in range(_PRODUCTS):
            product = product @ factor
        return product[0, 0]

    return measure(lambda: multiply(factor), setting.seconds, None).ms


def _operations(backbone: str, setting: Setting) -> int:
    """Returns the floating-point operations of a forward pass per image."""
    import tensorflow as tf

    from retinaface_tf.model.network import build_network

    network = build_network(training_config(Case(backbone, "float32", 1), setting))
    side = side_of(backbone, setting)
    image = tf.zeros([1, side, side, 3])
    return float_operations.count(lambda: network(image, training=False))
