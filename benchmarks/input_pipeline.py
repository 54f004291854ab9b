r"""Training input against its limit and a peer: images per CPU-second, from file to batch.

    python benchmarks/input_pipeline.py --cfg configs/mobilenet025.yaml --set data.root=... \
        --peer CHECKOUT

The limit is bare JPEG decoding of whole images. The peer is the loader of a checkout of
biubug6/Pytorch_Retinaface, if one is given; it needs the extra `torch`. All are measured in turns
within one run, since machines are noisy; the medians and their ratios are printed. CPU time counts
all threads of this process. Matching is on the device here and in biubug6's loss: in neither count.
"""

import itertools
import random
import statistics
import sys
import time
from collections.abc import Callable

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.errors import InputError

ROUNDS, BATCHES, BATCH = 5, 10, 8

_ROUNDS = flags.DEFINE_integer("rounds", ROUNDS, "Turns of each.", lower_bound=1)
_PEER = flags.DEFINE_string("peer", None, "A checkout of biubug6/Pytorch_Retinaface.")


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = cli.read_config()
    contestants = {} if _PEER.value is None else {"biubug6's": _peer(config)}
    cli.start_tensorflow()
    contestants = {"pipeline": _training_input(config), "decoding": _bare_decode(config)} | (
        contestants
    )
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(_ROUNDS.value):
        for name, next_batch in contestants.items():
            speeds[name].append(_images_per_cpu_second(next_batch))
    ours = statistics.median(speeds["pipeline"])
    for name, values in speeds.items():
        middle = statistics.median(values)
        print(
            f"{name:<10} {middle:7.1f} images/CPU-s ({min(values):.1f} to {max(values):.1f}); "
            f"the pipeline does {ours / middle:.2f} of that"
        )
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
    next(batches)  # its threads and buffers are there before the clock runs
    return lambda: next(batches)


def _bare_decode(config: Config) -> Callable[[], object]:
    import tensorflow as tf

    from retinaface_tf.data.dataset import training_set

    records = training_set(config)
    images = itertools.cycle([records.path(i).read_bytes() for i in range(min(len(records), 200))])
    return lambda: [tf.io.decode_jpeg(next(images)) for _ in range(BATCH)]


def _peer(config: Config) -> Callable[[], object]:
    """Batches of the peer's dataset, in its own order of work and in this process.

    Raises:
        InputError: the checkout is none, or lacks what it needs.
    """
    sys.path.insert(0, _PEER.value)
    try:
        from data import WiderFaceDetection, detection_collate, preproc
    except ImportError as error:
        raise InputError(f"{_PEER.value}: not a checkout that can be run here: {error}") from None
    labels = str(config.below_root(config.data.train_labels))
    dataset = WiderFaceDetection(labels, preproc(config.data.image_size, (104, 117, 123)))
    with_faces = [i for i, faces in enumerate(dataset.words) if faces]
    return lambda: detection_collate([dataset[i] for i in random.choices(with_faces, k=BATCH)])


if __name__ == "__main__":
    cli.run(main)
