r"""Times the training step, from a batch in memory to new weights, beside its limit and peers.

    python benchmarks/train_step.py --cfg configs/mobilenet025.yaml --set data.root=... --batch 8 \
        --set data.image_size=640 --biubug6 CHECKOUT
    python benchmarks/train_step.py --cfg configs/res50.yaml --set data.root=... --batch 2 \
        --set data.image_size=640 --biubug6 CHECKOUT --peteryux CHECKOUT

A piece of work is a step on one of a few batches of the training set, augmented as in the config.
The limit is the bare network: forward, a sum, backward, and Keras' own SGD. Peers are checkouts
that the user names (see peers.py); peteryuX's has only ResNet-50, with its strides in other layers.
Ours has the precision of the config; peers compute in float32, and biubug6's also with PyTorch's
autocast if ours is bfloat16. Below the table is the share of matching and loss in the step.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import float_operations
import numpy as np
import peers
import turns
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config
from retinaface_tf.structures import Batch

BATCHES = 6

_BATCH = flags.DEFINE_integer("batch", 8, "Images per step.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each.", lower_bound=1)
_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
_PETERYUX = flags.DEFINE_string("peteryux", None, "A checkout of peteryuX/retinaface-tf2.")

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # for peteryuX's; none of ours uses tf.keras


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config()
    precisions = ["float32"] + ["bfloat16"] * (config.model.precision == "bfloat16")
    steps = {}
    if _BIUBUG6.value:
        steps = {p: peers.biubug6_step(_BIUBUG6.value, config, p) for p in precisions}
    cli.start_tensorflow()
    batches, ours = _ours(config)
    contestants = {
        f"ours, {config.model.precision}": ours,
        "bare network": _bare(config, batches),
    }
    theirs = [biubug6_batch(batch) for batch in batches] if steps else []
    for precision, step in steps.items():
        contestants[f"biubug6's, {precision}"] = turns.over(theirs, step)
    if _PETERYUX.value:
        contestants["peteryuX's, float32"] = _peteryux(config)
    results = turns.take_turns(contestants, rounds=_ROUNDS.value, pieces=BATCHES)
    turns.report(results, images=_BATCH.value)
    _report_parts(config, batches, results[f"ours, {config.model.precision}"])
    return 0


def _ours(config: Config) -> tuple[list[Batch], Callable[[], turns.Piece]]:
    """Returns some batches, and the whole step on these batches."""
    from retinaface_tf.data.dataset import training_set
    from retinaface_tf.data.pipeline import TrainingData
    from retinaface_tf.doctor.machine import make_step
    from retinaface_tf.training.devices import make_strategy

    data = TrainingData(training_set(config), config.data, batch=_BATCH.value, seed=1)
    dataset = data.batches()
    step = make_step(config, make_strategy(config.train), dataset)
    batches = list(dataset.take(BATCHES))
    count_operations("ours", lambda: step.network(batches[0].images, training=False))
    return batches, turns.over([(b,) for b in batches], lambda batch: float(step(batch)["loss"]))


def _bare(config: Config, batches: Sequence[Batch]) -> Callable[[], turns.Piece]:
    import keras
    import tensorflow as tf

    from retinaface_tf.model.network import build_network

    network = build_network(config)
    optimizer = keras.optimizers.SGD(0.0, momentum=0.9)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            outputs = network(images, training=True).values()
            loss = tf.add_n([tf.reduce_mean(output) for output in outputs])
        weights = network.trainable_variables
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        optimizer.apply(gradients, weights)
        return loss

    return turns.over([(batch.images,) for batch in batches], lambda images: float(step(images)))


def biubug6_batch(batch: Batch) -> tuple[Any, Any]:
    """Converts a batch of ours to the form of the peer's collate function."""
    import torch

    blue_first = batch.images.numpy()[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    mean = np.float32(peers.BIUBUG6_MEAN)[:, None, None]
    faces = type(batch.faces)(*(part.numpy() for part in batch.faces))
    labels = np.where(faces.has_landmarks, 1, -1)[..., None]
    landmarks = faces.landmarks.reshape(*labels.shape[:2], 10)
    rows = np.concatenate([faces.boxes, landmarks, labels], axis=2).astype(np.float32)
    every = zip(rows, faces.valid, strict=True)
    return torch.from_numpy(blue_first - mean), [torch.from_numpy(r[valid]) for r, valid in every]


def _peteryux(config: Config) -> Callable[[], turns.Piece]:
    step, network = peers.peteryux_step(_PETERYUX.value, config, _BATCH.value)
    batch = peers.peteryux_batches(_PETERYUX.value, config, _BATCH.value)()
    batches = [batch() for _ in range(BATCHES)]
    count_operations("peteryuX's", lambda: network(batches[0][0], training=False))
    return turns.over(batches, lambda images, targets: float(step(images, targets)))


def count_operations(name: str, forward: Callable[[], Any]) -> None:
    """Prints the floating-point operations of a forward pass, per image."""
    billions = float_operations.count(forward) / _BATCH.value / 1e9
    print(f"{name}: {billions:.2f} billion operations forward, per image")


def _report_parts(config: Config, batches: Sequence[Batch], whole: list[turns.Turn]) -> None:
    """Reports the share of matching and loss in the step, run alone on the same batches."""
    import tensorflow as tf

    from retinaface_tf.geometry.anchors import make_anchors
    from retinaface_tf.geometry.targets import make_targets
    from retinaface_tf.model.losses import MultiBoxLoss, count_positives
    from retinaface_tf.structures import Predictions

    side = config.data.image_size
    anchors = make_anchors(side, side, config.anchors)
    loss = MultiBoxLoss(config)
    count = anchors.shape[0]
    predictions = Predictions(
        *(tf.random.normal([_BATCH.value, count, *shape]) for shape in ((4,), (2,), (5, 2)))
    )

    @tf.function(reduce_retracing=True)
    def match(faces):
        return make_targets(faces, anchors, (side, side), config)

    @tf.function
    def lose(targets):
        with tf.GradientTape() as tape:
            tape.watch(predictions)
            total = loss(predictions, targets, count_positives(targets)).total
        return tape.gradient(total, predictions)

    targets = [(match(batch.faces),) for batch in batches]
    parts = {
        "matching": turns.over([(batch.faces,) for batch in batches], match),
        "mining and loss": turns.over(targets, lose),
    }
    faces = np.mean([batch.faces.valid.numpy().sum() / _BATCH.value for batch in batches])
    print(f"\nof the step, at {faces:.1f} faces per image:")
    for name, each in turns.take_turns(parts, rounds=_ROUNDS.value, pieces=BATCHES).items():
        wall = turns.median(each).wall
        share = wall / turns.median(whole).wall
        print(f"{name:<24}{wall * 1e3:>8.1f} ms  {share:.1%}")


if __name__ == "__main__":
    cli.run(main)
