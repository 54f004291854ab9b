"""Scores predictions: AP, and a record of how it was measured (without TensorFlow)."""

import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import retinaface_tf
from retinaface_tf.config import Config
from retinaface_tf.evaluation.average_precision import GroundTruth, evaluate_predictions
from retinaface_tf.evaluation.prediction_files import read_predictions
from retinaface_tf.evaluation.result import Evaluation, find_maker, fingerprints

PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")

Predictions = dict[str, NDArray[np.float64]]  # image -> [N, 5], x y w h in pixels and score


def score(
    predictions: Predictions,
    truth: Mapping[str, GroundTruth],
    config: Config,
    *,
    source: str,
    protocol: str | None,
    seconds: float = 0.0,
    speed: dict[str, float] | None = None,
) -> Evaluation:
    """Measures the AP of predictions.

    Args:
        predictions: for the images of `truth`.
        truth: image -> its faces.
        config: `eval.iou` is used for matching; the whole config is kept in the result.
        source: path from which the predictions come.
        protocol: by which the predictions were made, if known.
        seconds: spent on detection.
        speed: stage of detection -> milliseconds per image.

    Raises:
        InputError: predictions for an image are not finite numbers [N, 5].
    """
    return Evaluation(
        ap=evaluate_predictions(predictions, truth, config.eval.iou),
        source=source,
        sha256=fingerprints(source),
        protocol=protocol,
        images=len(truth),
        seconds=round(seconds, 1),
        speed=speed,
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        retinaface_tf=retinaface_tf.__version__,
        versions={"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        predictions=None,
        made_by=None,
        config=config,
    )


def score_files(
    path: str, truth: Mapping[str, GroundTruth], config: Config
) -> tuple[Evaluation, Predictions]:
    """Measures the AP of a folder or zip of prediction files.

    Raises:
        InputError: files are missing or broken.
    """
    predictions = read_predictions(path)
    evaluation = score(predictions, truth, config, source=path, protocol=None)
    place = Path(path)
    return replace(evaluation, predictions=place, made_by=find_maker(place)), predictions
