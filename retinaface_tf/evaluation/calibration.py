"""Finds score thresholds for a precision, overall and by face height (NumPy only)."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import Floats, Mask
from retinaface_tf.evaluation.outcome import Outcome, detections_in_set
from retinaface_tf.evaluation.result import Evaluation
from retinaface_tf.geometry.heights import HEIGHTS, height_class

CALIBRATION_FILE = "calibration.json"
SET = "hard"  # the set with the most faces


class Threshold(NamedTuple):
    """Holds a score threshold at which detections reach a precision; None if no score does.

    Attributes:
        score_threshold: the lowest score that reaches the precision.
        precision: of the detections at the threshold or above.
        recall: of the same detections; None also if there are no faces.
        detections: how many are at the threshold or above; the precision of a few means little.
    """

    score_threshold: float | None
    precision: float | None
    recall: float | None
    detections: int


def parse_target(text: str) -> float:
    """Parses the precision of `precision=0.99`.

    Raises:
        InputError: the text has another form, or the precision is not above 0 and at most 1.
    """
    name, _, number = text.partition("=")
    try:
        target = float(number) if name == "precision" else 0.0
    except ValueError:
        target = 0.0
    if not 0 < target <= 1:
        raise InputError(f"--calibrate: expected a form like precision=0.99, found {text!r}")
    return target


def calibrate(outcome: Outcome, precision: float) -> tuple[Threshold, list[Threshold]]:
    """Finds the lowest thresholds at which detections reach a precision on the set hard.

    Returns:
        The threshold for all detections, and that for each height class, as in HEIGHTS.
    """
    detections = height_class(outcome.matches.rows[:, 3])
    faces = height_class(outcome.faces[:, 3])
    everything = np.ones(len(detections), bool), np.ones(len(faces), bool)
    by_height = [
        _threshold(outcome, precision, detections == i, faces == i) for i in range(len(HEIGHTS))
    ]
    return _threshold(outcome, precision, *everything), by_height


def write_calibration(
    folder: Path, outcome: Outcome, precision: float, evaluation: Evaluation
) -> Threshold:
    """Writes `calibration.json` into a folder that exists.

    Args:
        folder: for the results.
        outcome: of the predictions that were evaluated.
        precision: to be reached.
        evaluation: of the same predictions; its source and protocol are written to the file.

    Returns:
        The overall threshold.
    """
    overall, by_height = calibrate(outcome, precision)
    edges = zip(HEIGHTS, [*HEIGHTS[1:], None], strict=True)
    maker = evaluation.maker
    content = {
        "target": {"precision": precision},
        "set": SET,
        "iou": evaluation.config.eval.iou,
        **overall._asdict(),
        "by_height": [
            {"from": low, "to": high, **each._asdict()}
            for (low, high), each in zip(edges, by_height, strict=True)
        ],
        "source": maker.source,
        "sha256": dict(maker.sha256),
        "protocol": maker.protocol,
    }
    text = json.dumps(content, indent=2) + "\n"
    (folder / CALIBRATION_FILE).write_text(text, encoding="utf-8")
    return overall


def read_threshold(file: Path) -> float:
    """Reads the overall threshold of `calibration.json`, in the form that a detector takes.

    Detectors keep scores above their threshold, while the precision includes scores equal to it. So
    the function returns the next smaller number in float32.

    Raises:
        InputError: the file is missing or of another kind, or no score reached the precision.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        target, threshold = content["target"]["precision"], content["score_threshold"]
        below = None if threshold is None else np.nextafter(np.float32(threshold), np.float32(0))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not what eval.py --calibrate writes ({error!r})") from None
    if below is None:
        raise InputError(f"{file}: no score reaches a precision of {target}; calibrate for less")
    return float(below)


def _threshold(outcome: Outcome, precision: float, detections: Mask, faces: Mask) -> Threshold:
    kept = detections_in_set(outcome, SET) & detections
    scores, hit = outcome.matches.rows[kept, 4], outcome.hit[kept]
    order = np.argsort(-scores, kind="stable")
    place = _last_with(precision, scores[order], hit[order])
    if place is None:
        return Threshold(None, None, None, 0)
    threshold = float(scores[order][place])
    hit_scores = outcome.hit_scores[outcome.in_set[SET] & faces]
    return Threshold(
        threshold,
        float(np.mean(hit[order][: place + 1])),
        float(np.mean(hit_scores >= threshold)) if len(hit_scores) else None,
        place + 1,
    )


def _last_with(precision: float, scores: Floats, hit: Mask) -> int | None:
    """Finds the last place up to which detections, by falling score, reach a precision."""
    reached = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    # A threshold includes all or none of equal scores.
    ends = np.append(scores[1:] < scores[:-1], True)[: len(scores)]
    places = np.flatnonzero(ends & (reached >= precision))
    return int(places[-1]) if len(places) else None
