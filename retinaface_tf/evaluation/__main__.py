"""Measures AP on WIDER FACE val: python eval.py --cfg configs/res50.yaml."""

import logging
from dataclasses import replace
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config
from retinaface_tf.errors import DOES_NOT_HOLD
from retinaface_tf.evaluation.calibration import Threshold, parse_target, write_calibration
from retinaface_tf.evaluation.data import EvaluationData, find_images, load_evaluation_data
from retinaface_tf.evaluation.outcome import examine
from retinaface_tf.evaluation.prediction_files import write_predictions
from retinaface_tf.evaluation.result import Evaluation, format_ap
from retinaface_tf.evaluation.scoring import Predictions, score_files
from retinaface_tf.evaluation.wider import load_ground_truth
from retinaface_tf.extras import import_extra
from retinaface_tf.printing import say
from retinaface_tf.runtimes.opening import find_config, open_configured, open_exported

_WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "A name in `retinaface weights list`, a run's folder, a weights file, or an exported model; "
    "instead of --cfg's.",
)
_SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "An exported model: a folder, an .onnx or a .tflite file."
)
_PREDICTIONS = flags.DEFINE_string("predictions", None, "Scores a folder or zip of predictions.")
_PROTOCOL = flags.DEFINE_enum(
    "protocol",
    None,
    ["resized", "original", "vga", "ms_flip", "all_sizes"],
    "Protocol of image sizes, instead of eval.protocol.",
)
_OUT = flags.DEFINE_string("out", None, "Folder for the results, instead of eval.out.")
_REPORT = flags.DEFINE_string("report", None, "Folder for a page that shows the results.")
_CALIBRATE = flags.DEFINE_string(
    "calibrate", None, "Finds the score threshold for a precision, as in precision=0.99."
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
    precision = parse_target(_CALIBRATE.value) if _CALIBRATE.value else None
    if _REPORT.value:
        import_extra("matplotlib", "report")  # fails before the work begins if it is missing
    out = _folder_of_results(config)
    data = _load_data(config)
    if _PREDICTIONS.value:
        evaluation, predictions = score_files(_PREDICTIONS.value, data.truth, config)
    else:
        evaluation, predictions = _detect(data, config, out)
    evaluation.save(out)
    say(format_ap(evaluation.ap))
    if _REPORT.value:
        from retinaface_tf.evaluation.report.page import write_report

        write_report(Path(_REPORT.value), evaluation, predictions, data, precision)
    if precision is None:
        return 0
    outcome = examine(predictions, data.truth, config.eval.iou)
    threshold = write_calibration(out, outcome, precision, evaluation)
    _log_threshold(threshold, precision)
    return DOES_NOT_HOLD if threshold.score_threshold is None else 0


def _folder_of_results(config: Config) -> Path:
    if _PREDICTIONS.value and not _OUT.value:  # keeps the run's own results
        return config.evaluation_folder / f"scored_{Path(_PREDICTIONS.value).stem}"
    return config.evaluation_folder


def _load_data(config: Config) -> EvaluationData:
    """Loads the ground truth, and the images that are needed: all of them for detection."""
    if not _PREDICTIONS.value:
        return load_evaluation_data(config)
    images = find_images(config) if _REPORT.value else {}
    return EvaluationData(images, load_ground_truth(config.ground_truth_folder))


def _detect(data: EvaluationData, config: Config, out: Path) -> tuple[Evaluation, Predictions]:
    """Evaluates the detector that the flags name, and keeps its predictions."""
    cli.start_tensorflow()
    from retinaface_tf.evaluation.evaluate import evaluate

    exported = _SAVED_MODEL.value
    detector = open_exported(exported) if exported else open_configured(config)
    evaluation, predictions = evaluate(
        detector, data, config, source=detector.source, timed=_REPORT.value is not None
    )
    if config.eval.save_results:
        write_predictions(out / "predictions", predictions)
        evaluation = replace(evaluation, predictions=out / "predictions")
    return evaluation, predictions


def _log_threshold(threshold: Threshold, precision: float) -> None:
    if threshold.score_threshold is None:
        logging.warning("no score threshold reaches a precision of %s", precision)
        return
    message = "precision %.4f and recall %.4f on hard at score %.4f"
    logging.info(message, threshold.precision, threshold.recall or 0, threshold.score_threshold)


if __name__ == "__main__":
    cli.run(main)
