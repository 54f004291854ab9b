"""Measures AP on WIDER FACE val: python eval.py --cfg configs/res50.yaml."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.evaluation.average_precision import evaluate_predictions
from retinaface_tf.evaluation.report import summary, write_report
from retinaface_tf.evaluation.wider import (
    load_ground_truth,
    read_predictions,
    write_predictions,
)

_WEIGHTS = flags.DEFINE_string("weights", None, "A weights file, instead of a checkpoint.")
_SAVED_MODEL = flags.DEFINE_string("saved_model", None, "An exported model, instead of a network.")
_PREDICTIONS = flags.DEFINE_string("predictions", None, "Scores a folder or zip of predictions.")
_PROTOCOL = flags.DEFINE_enum(
    "protocol",
    None,
    ["resized", "original", "vga", "ms_flip"],
    "Sizes of images, instead of eval.protocol.",
)
_OUT = flags.DEFINE_string("out", None, "Folder of the results, instead of eval.out.")
flags.mark_flags_as_mutual_exclusive(["weights", "saved_model", "predictions"], required=False)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = cli.read_config(
        eval__protocol=_PROTOCOL.value, eval__weights=_WEIGHTS.value, eval__out=_OUT.value
    ).exhaustive()
    out = Path(config.eval.out or Path(config.train.workdir) / "eval")
    start = time.perf_counter()
    if _PREDICTIONS.value:
        source, predictions = _PREDICTIONS.value, read_predictions(_PREDICTIONS.value)
        # The run's own results stay.
        out = Path(_OUT.value) if _OUT.value else out / Path(source).stem
        truth = load_ground_truth(config.ground_truth_folder)
    else:
        files = validation_set(config).files()
        truth = load_ground_truth(config.ground_truth_folder)
        source, predictions = _predict(config, files)
        if config.eval.save_results:
            write_predictions(out / "predictions", predictions)
    ap = evaluate_predictions(predictions, truth, config.eval.iou)
    protocol = None if _PREDICTIONS.value else config.eval.protocol
    write_report(out, config, source, protocol, ap, time.perf_counter() - start)
    print(summary(ap))
    return 0


def _predict(config: Config, files: Mapping[str, Path]) -> tuple[str, dict[str, Any]]:
    """Detections of `files` by name, and what detected them."""
    cli.start_tensorflow()
    from retinaface_tf.detectors import open_detector
    from retinaface_tf.evaluation.predict import predict

    source, detect = open_detector(config, _SAVED_MODEL.value)
    return source, predict(detect, files, config)


if __name__ == "__main__":
    cli.run(main)
