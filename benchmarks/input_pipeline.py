r"""Measures training input in images per CPU-second, from file to network, beside limit and peers.

    python benchmarks/input_pipeline.py --cfg configs/mobilenet025.yaml --set data.root=... \
        --set data.image_size=840 --biubug6 CHECKOUT --peteryux CHECKOUT

A piece of work is a batch of 8. The limit is decoding whole JPEGs and nothing else. Peers are
checkouts that the user names (see peers.py). peteryuX's pipeline also matches and encodes, so there
is a row of ours with both; biubug6 matches in its loss, which is not counted. Ours ends where the
network begins, at uint8, as the mean is subtracted on the device. CPU time is that of all threads
of this process. The lines below the table show where the CPU time of a sample goes.
"""

import itertools
import time
from collections.abc import Callable, Iterator

import peers
import turns
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config
from retinaface_tf.data.records import Records

BATCH, BATCHES, ROUNDS = 8, 25, 5
DECODED = 200  # files that are decoded repeatedly
SAMPLES = 150  # to see where the time goes

_ROUNDS = flags.DEFINE_integer("rounds", ROUNDS, "Turns of each.", lower_bound=1)
_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
_PETERYUX = flags.DEFINE_string("peteryux", None, "A checkout of peteryuX/retinaface-tf2.")


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config()
    contestants: dict[str, Callable[[], turns.Piece]] = {}
    if _BIUBUG6.value:
        theirs = peers.biubug6_batches(_BIUBUG6.value, config, BATCH)
        contestants["biubug6's"] = lambda: theirs
    cli.start_tensorflow()
    from retinaface_tf.data.dataset import training_set

    records = training_set(config)
    files = [records.path(i).read_bytes() for i in range(min(len(records), DECODED))]
    ours = {
        "pipeline": lambda: _pipeline(config, records, matched=False),
        "pipeline, matched": lambda: _pipeline(config, records, matched=True),
        "whole images decoded": lambda: _bare_decode(files),
    }
    contestants = ours | contestants
    if _PETERYUX.value:
        contestants["peteryuX's, matched"] = peers.peteryux_batches(_PETERYUX.value, config, BATCH)
    turns.report(turns.take_turns(contestants, rounds=_ROUNDS.value, pieces=BATCHES), images=BATCH)
    print("\nCPU time of a sample, one thread:")
    for name, seconds in _stages(config, records):
        print(f"{name:<24}{seconds * 1e3:>8.2f} ms")
    return 0


def _pipeline(config: Config, records: Records, *, matched: bool) -> turns.Piece:
    import tensorflow as tf

    from retinaface_tf.data.pipeline import TrainingData
    from retinaface_tf.geometry.anchors import make_anchors
    from retinaface_tf.geometry.targets import make_targets

    batches = TrainingData(records, config.data, batch=BATCH, seed=1).batches()
    anchors = make_anchors(config.data.image_size, config.data.image_size, config.anchors)

    @tf.function(input_signature=[batches.element_spec.faces])
    def match(faces):
        return make_targets(faces, anchors, (config.data.image_size,) * 2, config)

    iterator = iter(batches)
    return lambda: match(next(iterator).faces) if matched else next(iterator)


def _bare_decode(files: list[bytes]) -> turns.Piece:
    import tensorflow as tf

    images = itertools.cycle(files)
    return lambda: [tf.io.decode_jpeg(next(images)) for _ in range(BATCH)]


def _stages(config: Config, records: Records) -> Iterator[tuple[str, float]]:
    """Yields the CPU-seconds that each stage of biubug6's recipe adds to a sample."""
    import tensorflow as tf

    from retinaface_tf.data.augment import pad_to_square
    from retinaface_tf.data.colour import jitter_colour
    from retinaface_tf.data.crops import BIUBUG6_SCALES, choose_window
    from retinaface_tf.data.decode import decode_window, open_image
    from retinaface_tf.structures import Faces

    side = config.data.image_size
    paths = tf.constant([str(records.path(i)) for i in range(len(records))])
    splits, shown = tf.constant(records.splits), tf.ones(len(records.boxes), tf.bool)
    faces = Faces(
        *map(tf.constant, (records.boxes, records.landmarks, records.has_landmarks)), shown
    )

    def seed(i):
        return tf.stack([i, 1])

    def read(i):
        return tf.io.read_file(paths[i])

    def window(i):
        image = open_image(read(i))
        mine = Faces(*(part[splits[i] : splits[i + 1]] for part in faces))
        return image, choose_window(image.size, mine, seed(i), BIUBUG6_SCALES)

    def pixels(i):
        return decode_window(*window(i), side)[0]

    def coloured(i):
        return jitter_colour(tf.cast(pixels(i), tf.float32), seed(i))

    def resized(i):
        image = tf.image.resize(pad_to_square(coloured(i)) + 0.5, [side, side])
        return tf.cast(image, tf.uint8)

    stages = {
        "call, read": read,
        "header, window": window,
        "decode": pixels,
        "colour": coloured,
        "resize": resized,
    }
    before = 0.0
    for name, stage in stages.items():
        until = _cpu_seconds(tf.function(stage), len(records))
        yield name, until - before
        before = until


def _cpu_seconds(stage: Callable[[object], object], images: int) -> float:
    """Returns the CPU-seconds per image, over SAMPLES images."""
    import tensorflow as tf

    numbers = [tf.constant(i % images) for i in range(SAMPLES)]
    stage(numbers[0])
    start = time.process_time()
    for number in numbers:
        stage(number)
    return (time.process_time() - start) / SAMPLES


if __name__ == "__main__":
    cli.run(main)
