"""Starts the workers of one run on this machine, and restarts them when one dies.

    python -m retinaface_tf.training.launch --workers 2 -- train.py --cfg configs/quickstart.yaml

The launcher is for trying out a set-up; on several machines, start `train.py` on each, with
TF_CONFIG or under Slurm. What follows `--` is passed to Python, in each worker with its own
TF_CONFIG. Exit codes are those of train.py.
"""

from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import InputError
from retinaface_tf.training.launch.workers import launch

_WORKERS = flags.DEFINE_integer("workers", 2, "How many workers to start.", lower_bound=1)
_RESTARTS = flags.DEFINE_integer(
    "restarts", 3, "How often to restart all workers after one has died.", lower_bound=0
)


def main(arguments: list[str]) -> int:
    if not arguments:
        raise InputError("expected `-- train.py` and its flags, found no command to start")
    return launch(arguments, _WORKERS.value, _RESTARTS.value)


if __name__ == "__main__":
    cli.run(main)
