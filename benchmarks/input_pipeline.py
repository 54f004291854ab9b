"""Training input against its limit: images per CPU-second, beside bare JPEG decoding.

    python benchmarks/input_pipeline.py --cfg configs/mobilenet025.yaml --set data.root=...

Both are measured in turns within one run, since machines are noisy; the medians and their ratio
are printed. CPU time counts all threads of this process.
"""

import itertools
import statistics
import time
from collections.abc import Callable

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config

ROUNDS, BATCHES, BATCH = 5, 10, 8

_ROUNDS = flags.DEFINE_integer("rounds", ROUNDS, "Turns of each.", lower_bound=1)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = cli.read_config()
    cli.start_tensorflow()
    pipeline, decode = _training_input(config), _bare_decode(config)
    speeds: dict[str, list[float]] = {"pipeline": [], "bare decode": []}
    for _ in range(_ROUNDS.value):
        speeds["pipeline"].append(_images_per_cpu_second(pipeline))
        speeds["bare decode"].append(_images_per_cpu_second(decode))
    for name, values in speeds.items():
        middle = statistics.median(values)
        print(f"{name:<12} {middle:7.1f} images/CPU-s ({min(values):.1f} to {max(values):.1f})")
    ratio = statistics.median(speeds["pipeline"]) / statistics.median(speeds["bare decode"])
    print(f"pipeline / bare decode {ratio:.2f}")
    return 0


def _images_per_cpu_second(next_batch: Callable[[], object]) -> float:
    """Speed over BATCHES batches of BATCH images."""
    before = time.process_time()
    for _ in range(BATCHES):
        next_batch()
    return BATCHES * BATCH / (time.process_time() - before)


def _training_input(config: Config) -> Callable[[], object]:
    from retinaface_tf.data.dataset import training_set
    from retinaface_tf.data.pipeline import training_batches

    batches = iter(training_batches(training_set(config), config.data, batch=BATCH, seed=1))
    return lambda: next(batches)


def _bare_decode(config: Config) -> Callable[[], object]:
    import tensorflow as tf

    from retinaface_tf.data.dataset import training_set

    records = training_set(config)
    images = itertools.cycle([records.path(i).read_bytes() for i in range(min(len(records), 200))])
    return lambda: [tf.io.decode_jpeg(next(images)) for _ in range(BATCH)]


if __name__ == "__main__":
    cli.run(main)
