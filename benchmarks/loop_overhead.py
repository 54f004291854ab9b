"""Compares the training loop with a bare `tf.function`, on one batch in memory.

    python benchmarks/loop_overhead.py --cfg configs/mobilenet025.yaml --set data.root=... \
        --batch 8 --set data.image_size=640

The bare function does targets, forward, loss, backward and apply, as one would write them for one
device. The loop is that of train.py, with all that it does in addition: it takes batches from an
iterator, counts positives first to divide by them, skips what is not finite, and reports to log and
TensorBoard every `train.log_steps`. Both take turns in one process. The exit code is 2 if the loop
takes more than 1.05 times as long.
"""

import dataclasses
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config
from retinaface_tf.errors import DOES_NOT_HOLD

MOST = 1.05
STEPS, WARM_UP = 20, 10  # of a turn; before the first turn

_BATCH = flags.DEFINE_integer("batch", 8, "Images per step.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 6, "Turns of each.", lower_bound=1)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config()
    cli.start_tensorflow()
    logging.getLogger("retinaface_tf").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as workdir:
        train = dataclasses.replace(
            config.train,
            batch_per_device=_BATCH.value,
            num_devices=1,
            validate_epochs=0,
            checkpoint_steps=10**9,
            workdir=workdir,
        )
        loop, bare = take_turns(dataclasses.replace(config, train=train))
    ratios = [a / b for a, b in zip(loop, bare, strict=True)]
    ratio = statistics.median(ratios)
    for name, each in (("loop", loop), ("bare", bare)):
        print(f"{name}  {statistics.median(each) * 1e3:8.1f} ms a step", end="")
        print(f", {min(each) * 1e3:.1f} to {max(each) * 1e3:.1f}")
    print(f"ratio {ratio:.3f}, {min(ratios):.3f} to {max(ratios):.3f}, limit {MOST}")
    return 0 if ratio <= MOST else DOES_NOT_HOLD


def take_turns(config: Config) -> tuple[list[float], list[float]]:
    """Returns the seconds per step of the loop and of the bare function, for each turn."""
    from retinaface_tf.doctor.machine import repeat
    from retinaface_tf.training.loop import train_from
    from retinaface_tf.training.prepare import prepare
    from retinaface_tf.training.run import Run
    from retinaface_tf.training.stopping import StopSignal

    prepared = prepare(config)
    batches = prepared.batches(0)
    batch = next(iter(batches))
    bare = bare_step(config, batch)
    loop_times: list[float] = []
    bare_times: list[float] = []
    began = time.perf_counter()

    class Watched(Run):
        """Runs on one batch, and lets the bare function take its turn between two steps."""

        def batches(self, start: int) -> Any:
            return self.strategy.distribute_datasets_from_function(lambda _: repeat(batch, batches))

        def next_steps(self, done: int) -> int:
            nonlocal began
            if done >= WARM_UP and (done - WARM_UP) % STEPS == 0:
                if done > WARM_UP:
                    loop_times.append((time.perf_counter() - began) / STEPS)
                    began = time.perf_counter()
                    for _ in range(STEPS):
                        bare()
                    bare_times.append((time.perf_counter() - began) / STEPS)
                began = time.perf_counter()
            return super().next_steps(done)

    total = WARM_UP + STEPS * _ROUNDS.value + 1
    parts = vars(prepared) | {"rates": prepared.rates[:total]}
    for _ in range(WARM_UP):
        bare()
    train_from(Watched(**parts), 0, StopSignal())
    return loop_times, bare_times


def bare_step(config: Config, batch: Any) -> Callable[[], float]:
    import keras
    import tensorflow as tf

    from retinaface_tf.geometry.anchors import make_anchors
    from retinaface_tf.geometry.targets import make_targets
    from retinaface_tf.model.losses import MultiBoxLoss, count_positives
    from retinaface_tf.model.network import build_network
    from retinaface_tf.structures import Predictions

    network, side = build_network(config), config.data.image_size
    loss_of, anchors = MultiBoxLoss(config), make_anchors(side, side, config.anchors)
    optimizer = keras.optimizers.SGD(1e-4, momentum=0.9)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(batch: Any) -> tf.Tensor:
        targets = make_targets(batch.faces, anchors, (side, side), config)
        with tf.GradientTape() as tape:
            predictions = Predictions(**network(batch.images, training=True))
            loss = loss_of(predictions, targets, count_positives(targets)).total
        weights = network.trainable_variables
        optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return loss

    return lambda: float(step(batch))


if __name__ == "__main__":
    cli.run(main)
