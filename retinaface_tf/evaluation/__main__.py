"""Measures AP on WIDER FACE val: python eval.py --cfg configs/res50.yaml."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.errors import DOES_NOT_HOLD
from retinaface_tf.evaluation.average_precision import evaluate_predictions
from retinaface_tf.evaluation.calibration import parse_target, write_calibration
from retinaface_tf.evaluation.outcome import examine
from retinaface_tf.evaluation.result import Evaluated, summary, write_report
from retinaface_tf.evaluation.wider import (
    load_ground_truth,
    read_predictions,
    write_predictions,
)
from retinaface_tf.runtimes.opening import find_config

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
_REPORT = flags.DEFINE_string("report", None, "Folder of a page that shows what was found.")
_CALIBRATE = flags.DEFINE_string(
    "calibrate", None, "Finds the score threshold of precision=0.99, or another."
)
flags.mark_flags_as_mutual_exclusive(["weights", "saved_model", "predictions"], required=False)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config(
        weights=_WEIGHTS.value,
        find_config=find_config,
        eval__protocol=_PROTOCOL.value,
        eval__out=_OUT.value,
    ).exhaustive()
    target = parse_target(_CALIBRATE.value) if _CALIBRATE.value else None
    if _REPORT.value:  # its packages may be missing
        pass
    out = Path(config.eval.out or Path(config.train.workdir) / "eval")
    if _PREDICTIONS.value:
        evaluated = _read(config, _PREDICTIONS.value)
        # The run's own results stay.
        out = Path(_OUT.value) if _OUT.value else out / f"scored_{Path(_PREDICTIONS.value).stem}"
    else:
        evaluated = _predict(config, out)
    ap = evaluate_predictions(evaluated.predictions, evaluated.truth, config.eval.iou)
    report = write_report(out, config, evaluated, ap)
    print(summary(ap))
    if _REPORT.value:
        from retinaface_tf.evaluation.report.page import write_report as write_page

        write_page(Path(_REPORT.value), config, evaluated, report)
    reached = target is None or _calibrate(config, evaluated, target, out, report)
    return 0 if reached else DOES_NOT_HOLD


def _calibrate(
    config: Config, evaluated: Evaluated, target: float, out: Path, report: Mapping[str, Any]
) -> bool:
    """Whether there is a threshold of that precision."""
    outcome = examine(evaluated.predictions, evaluated.truth, config.eval.iou)
    found = write_calibration(out, outcome, target, report)
    if found.score_threshold is None:
        logging.warning("no score threshold has a precision of %s", target)
        return False
    message = "precision %.4f and recall %.4f of hard at score %.4f"
    logging.info(message, found.precision, found.recall or 0, found.score_threshold)
    return True


def _read(config: Config, source: str) -> Evaluated:
    """Predictions that are there already."""
    predictions, truth = read_predictions(source), load_ground_truth(config.ground_truth_folder)
    return Evaluated(source, None, predictions, truth, Path(source))


def _predict(config: Config, out: Path) -> Evaluated:
    """Detections of the validation set."""
    files = validation_set(config).files()
    truth = load_ground_truth(config.ground_truth_folder)
    cli.start_tensorflow()
    from retinaface_tf.evaluation.predict import predict
    from retinaface_tf.evaluation.speed import measure_speed
    from retinaface_tf.runtimes.opening import open_configured, open_exported

    saved_model = _SAVED_MODEL.value
    detect = open_exported(saved_model) if saved_model else open_configured(config)
    source = detect.source
    start = time.perf_counter()
    predictions = predict(detect, files, config)
    seconds = time.perf_counter() - start
    saved = out / "predictions" if config.eval.save_results else None
    if saved:
        write_predictions(saved, predictions)
    speed = measure_speed(detect, files, config) if _REPORT.value else None
    return Evaluated(source, config.eval.protocol, predictions, truth, saved, seconds, speed)


if __name__ == "__main__":
    cli.run(main)
