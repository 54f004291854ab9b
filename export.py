"""Exports a trained detector for TensorFlow Serving: python export.py --out models/retinaface."""

from pathlib import Path

from absl import flags

from retinaface_tf import cli

_WEIGHTS = flags.DEFINE_string("weights", None, "A weights file, instead of a checkpoint.")
_OUT = flags.DEFINE_string("out", "models/retinaface", "Folder of the model's versions.")
_KEEP = flags.DEFINE_integer(
    "keep", None, "How many of the newest versions to keep.", lower_bound=1
)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = cli.read_config(eval__weights=_WEIGHTS.value)
    cli.start_tensorflow()
    from retinaface_tf.model.detector import Detector
    from retinaface_tf.serving.export import export_saved_model
    from retinaface_tf.training.checkpoint import load_network

    source, network = load_network(config)
    version = export_saved_model(
        Detector(network, config), Path(_OUT.value), source=source, keep=_KEEP.value
    )
    print(f"{source} exported to {version}")
    return 0


if __name__ == "__main__":
    cli.run(main)
