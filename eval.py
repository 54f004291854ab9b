"""Measures AP on WIDER FACE val: python eval.py --cfg configs/res50.yaml."""

import time
from collections.abc import Callable
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import evaluate_predictions
from retinaface_tf.evaluation.report import Evaluated, summary, write_report
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
_REPORT = flags.DEFINE_string("report", None, "Folder of a page that shows what was found.")
flags.mark_flags_as_mutual_exclusive(["weights", "saved_model", "predictions"], required=False)


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = cli.read_config(
        eval__protocol=_PROTOCOL.value, eval__weights=_WEIGHTS.value, eval__out=_OUT.value
    ).exhaustive()
    write_page = _page_writer() if _REPORT.value else None
    out = Path(config.eval.out or Path(config.train.workdir) / "eval")
    if _PREDICTIONS.value:
        evaluated = _read(config, _PREDICTIONS.value)
        # The run's own results stay.
        out = Path(_OUT.value) if _OUT.value else out / Path(_PREDICTIONS.value).stem
    else:
        evaluated = _predict(config, out)
    ap = evaluate_predictions(evaluated.predictions, evaluated.truth, config.eval.iou)
    report = write_report(out, config, evaluated, ap)
    if write_page:
        write_page(Path(str(_REPORT.value)), config, evaluated, report)
    print(summary(ap))
    return 0


def _read(config: Config, source: str) -> Evaluated:
    """Predictions that are there already."""
    predictions, truth = read_predictions(source), load_ground_truth(config.ground_truth_folder)
    return Evaluated(source, None, predictions, truth, Path(source))


def _predict(config: Config, out: Path) -> Evaluated:
    """Detections of the validation set."""
    files = validation_set(config).files()
    truth = load_ground_truth(config.ground_truth_folder)
    cli.start_tensorflow()
    from retinaface_tf.detectors import open_detector
    from retinaface_tf.evaluation.predict import predict
    from retinaface_tf.evaluation.speed import measure_speed

    source, detect = open_detector(config, _SAVED_MODEL.value)
    start = time.perf_counter()
    predictions = predict(detect, files, config)
    seconds = time.perf_counter() - start
    saved = out / "predictions" if config.eval.save_results else None
    if saved:
        write_predictions(saved, predictions)
    speed = measure_speed(detect, files, config) if _REPORT.value else None
    return Evaluated(source, config.eval.protocol, predictions, truth, saved, seconds, speed)


def _page_writer() -> Callable[..., Path]:
    """Of the report; asked for before the work, as its packages may be missing."""
    try:
        from retinaface_tf.evaluation.page import write_page
    except ModuleNotFoundError as error:
        raise InputError(
            f"--report: needs {error.name}: pip install 'retinaface-tf[report]'"
        ) from None
    return write_page


if __name__ == "__main__":
    cli.run(main)
