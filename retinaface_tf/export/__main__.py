"""Exports a trained detector: python export.py --format savedmodel --out models/retinaface.

`savedmodel` is for TensorFlow Serving, `onnx` for onnxruntime, `litert` for phones.
"""

from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config_flags import read_config
from retinaface_tf.evaluation.calibration import read_threshold
from retinaface_tf.export.formats import FORMATS, PARITY_LOG, export_model
from retinaface_tf.printing import say
from retinaface_tf.runtimes.opening import find_config

_FOLDERS = ", ".join(entry.folder for entry in FORMATS.values())

_WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "A name in `retinaface weights list`, a run's folder or a weights file; instead of --cfg's.",
)
_FORMAT = flags.DEFINE_enum("format", "savedmodel", list(FORMATS), "Format of the export.")
_OUT = flags.DEFINE_string(
    "out", None, f"Folder for the model's versions; else, by format, {_FOLDERS}."
)
_KEEP = flags.DEFINE_integer(
    "keep", None, "How many of the newest versions to keep; else all.", lower_bound=1
)
_CALIBRATION = flags.DEFINE_string(
    "calibration", None, "A calibration.json of eval.py; its score threshold becomes the default."
)

# absl's own -v takes a number, and sets absl's own log.
_VERBOSE = flags.DEFINE_bool(
    "verbose",
    False,
    "Logs all figures of the parity check.",
    short_name="v",
    allow_override=True,
)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    if _VERBOSE.value:
        cli.show_details(PARITY_LOG)
    threshold = None if _CALIBRATION.value is None else read_threshold(Path(_CALIBRATION.value))
    config = read_config(
        weights=_WEIGHTS.value, find_config=find_config, detector__score_threshold=threshold
    )
    cli.start_tensorflow()
    from retinaface_tf.model.detector import GraphDetector
    from retinaface_tf.runtimes.run_folder import load_network

    source, network = load_network(config)
    detector = GraphDetector(network, config)
    version = export_model(detector, _OUT.value, _FORMAT.value, source=source, keep=_KEEP.value)
    say(f"{source} exported to {version}")
    return 0


if __name__ == "__main__":
    cli.run(main)
