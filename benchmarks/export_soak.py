r"""Watches the memory and traces of an exported model over images of random sizes.

    python export.py --cfg ... --out models/retinaface
    python benchmarks/export_soak.py --saved_model models/retinaface/1

Sends noise as JPEGs with sides of 32 to `--side` pixels, one in ten of them cut short, and prints
the resident memory along the way. The exit code is 2 if memory grows by more than `--allowed` MiB
after the first quarter of the images.
"""

from pathlib import Path

import cv2
import numpy as np
from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import DOES_NOT_HOLD

_SAVED_MODEL = flags.DEFINE_string("saved_model", "models/retinaface/1", "An exported model.")
_IMAGES = flags.DEFINE_integer("images", 2000, "How many to send.", lower_bound=20)
_SIDE = flags.DEFINE_integer("side", 1000, "The longest side.", lower_bound=33)
_ALLOWED = flags.DEFINE_integer("allowed", 100, "MiB by which memory may grow.")


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    cli.start_tensorflow()
    import tensorflow as tf

    model = tf.saved_model.load(_SAVED_MODEL.value)
    random = np.random.default_rng(1)
    settled = most = 0.0
    for number in range(1, _IMAGES.value + 1):
        data = noise(random)
        if number % 10 == 0:
            data = data[: len(data) // 2]
        model.serving_default(tf.constant([data]))
        most = max(most, resident())
        if number == _IMAGES.value // 4:
            settled = most
        if number % max(1, _IMAGES.value // 20) == 0:
            print(f"{number:>6} images, {resident():7.0f} MiB, at most {most:7.0f}", flush=True)
    traces = model.serving_default.experimental_get_tracing_count()
    print(f"{most - settled:.0f} MiB more than after a quarter; {traces} traces")
    return DOES_NOT_HOLD if most - settled > _ALLOWED.value or traces > 1 else 0


def noise(random: np.random.Generator) -> bytes:
    height, width = random.integers(32, _SIDE.value + 1, 2)
    return cv2.imencode(".jpg", random.integers(0, 256, (height, width, 3), np.uint8))[1].tobytes()


def resident() -> float:
    """Returns the memory of this process in MiB, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    cli.run(main)
