r"""Compares two recipes by the time of a training step and its input.

    python benchmarks/recipe_step.py --cfg configs/mobilenet025_modern.yaml \
        --beside configs/mobilenet025.yaml --set data.root=... --set data.image_size=640

A piece of work is a new batch, from files, and a step on it. Both recipes take turns in one
process. The exit code is 2 if the recipe of --cfg takes more than 1.15 times as long.
"""

from collections.abc import Callable

import turns
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.config_flags import read_config
from retinaface_tf.errors import DOES_NOT_HOLD

MOST = 1.15
STEPS = 10  # of a turn

_BESIDE = flags.DEFINE_string("beside", None, "The config to compare with.", required=True)
_BATCH = flags.DEFINE_integer("batch", 8, "Images per step.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Turns of each.", lower_bound=1)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    configs = {
        "this": read_config(),
        "beside": load_config(_BESIDE.value, flags.FLAGS["set"].value),
    }
    cli.start_tensorflow()
    steps = {name: steps_of(config) for name, config in configs.items()}
    found = turns.take_turns(steps, rounds=_ROUNDS.value, pieces=STEPS)
    turns.report(found, images=_BATCH.value)
    ratio = turns.median(found["this"]).wall / turns.median(found["beside"]).wall
    print(f"ratio {ratio:.3f}, at most {MOST}: {'holds' if ratio <= MOST else 'does not hold'}")
    return 0 if ratio <= MOST else DOES_NOT_HOLD


def steps_of(config: Config) -> Callable[[], turns.Piece]:
    """Returns a contestant that takes batches of a recipe and trains on them."""
    from retinaface_tf.data.dataset import training_set
    from retinaface_tf.data.pipeline import TrainingData
    from retinaface_tf.doctor.machine import make_step
    from retinaface_tf.training.devices import make_strategy

    data = TrainingData(training_set(config), config.data, batch=_BATCH.value, seed=1)
    dataset = data.batches()
    step = make_step(config, make_strategy(config.train), dataset)

    def ready() -> turns.Piece:
        batches = iter(dataset)
        return lambda: float(step(next(batches))["loss"])

    return ready


if __name__ == "__main__":
    cli.run(main)
