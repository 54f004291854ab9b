"""Trains RetinaFace: python train.py --cfg configs/res50.yaml."""

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config_flags import read_config
from retinaface_tf.errors import STOPPED
from retinaface_tf.training.stopping import StopSignal

_RESUME = flags.DEFINE_bool(
    "resume", True, "Continues from the newest checkpoint; --noresume refuses a run's workdir."
)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    with StopSignal():  # before TensorFlow, whose import takes seconds
        config = read_config()
        cli.start_tensorflow()
        from retinaface_tf.training.loop import train

        return 0 if train(config, resume=_RESUME.value) else STOPPED


if __name__ == "__main__":
    cli.run(main)
