"""Counts the operations that a training step executes, and how often the host waits in it.

    python benchmarks/step_operations.py --batch 1 --batch 8 --batch 32

On a GPU each operation outside of the network is a launch, and each wait empties its queue: sizes
that depend on data, predicates of branches and loops. Counted from a profile of a step of MobileNet
on drawn faces, which is the same on a CPU. Images are small, since their size changes no count;
with `--set train.xla=true` the step is to be one compiled cluster. Exit code 2 above the limits.
"""

import numpy as np
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import DOES_NOT_HOLD
from retinaface_tf.structures import Batch, Faces

MAX_TARGETS_AND_LOSS = 250
MAX_OUTSIDE = 1500  # of the network
MAX_WAITS = 8
SIDE = 128

_BATCH = flags.DEFINE_multi_integer("batch", [1, 8, 32], "Images a step.", lower_bound=1)
_FACES = flags.DEFINE_integer("faces", 16, "Faces an image.", lower_bound=0)
_SET = flags.DEFINE_multi_string("set", [], "Further settings, key=value.")


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    cli.start_tensorflow()
    from operations import count_operations

    print(f"{'batch':>5}  {'part':<8}{'executions':>12}{'waits':>7}")
    holds = True
    for images in _BATCH.value:
        step, batch = make_step_and_batch(images, _FACES.value, _SET.value)
        step(batch)
        counts = count_operations(lambda s=step, b=batch: float(s(b)["loss"]))
        for part, (executions, waits) in counts.items():
            print(f"{images:>5}  {part:<8}{executions:>12}{waits:>7}")
        holds &= within_limits(counts)
    return 0 if holds else DOES_NOT_HOLD


def within_limits(counts) -> bool:
    """Tells whether the counts of a step by part are within the limits."""
    outside = sum(c.executions for part, c in counts.items() if part != "network")
    return (
        counts["targets"].executions + counts["loss"].executions <= MAX_TARGETS_AND_LOSS
        and outside <= MAX_OUTSIDE
        and sum(c.waits for c in counts.values()) <= MAX_WAITS
    )


def make_step_and_batch(images: int, faces: int, settings: list[str]):
    """Makes a TrainStep of MobileNet and a batch of images with so many faces each."""
    import tensorflow as tf

    from retinaface_tf.doctor.machine import make_step
    from retinaface_tf.training.devices import make_strategy

    config: Config = load_config(
        "configs/mobilenet025.yaml",
        [
            f"data.image_size={SIDE}",
            f"train.batch_per_device={images}",
            "train.num_devices=1",
            *settings,
        ],
    )
    batch = draw_batch(images, faces)
    spec = tf.nest.map_structure(tf.type_spec_from_value, batch)
    open_faces = Faces(*(tf.TensorSpec([images, None, *s.shape[2:]], s.dtype) for s in spec.faces))
    batches = tf.data.Dataset.from_generator(
        lambda: iter([batch]), output_signature=spec._replace(faces=open_faces)
    )
    return make_step(config, make_strategy(config.train), batches), batch


def draw_batch(images: int, faces: int) -> Batch:
    import tensorflow as tf

    random = np.random.default_rng(0)
    corner = random.uniform(0, 0.8, (images, faces, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0.05, 0.4, corner.shape)], axis=-1)
    return Batch(
        images=tf.zeros([images, SIDE, SIDE, 3], tf.uint8),
        faces=Faces(
            boxes=tf.constant(boxes, tf.float32),
            landmarks=tf.constant(random.uniform(0, 1, (images, faces, 5, 2)), tf.float32),
            has_landmarks=tf.ones([images, faces], tf.bool),
            valid=tf.ones([images, faces], tf.bool),
        ),
        sample=tf.range(images, dtype=tf.int64),
    )


if __name__ == "__main__":
    cli.run(main)
