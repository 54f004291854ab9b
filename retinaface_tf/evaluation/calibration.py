"""Score thresholds that reach a precision, overall and by height of faces (NumPy only)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import Floats, Mask
from retinaface_tf.evaluation.outcome import Outcome, regarded
from retinaface_tf.geometry.heights import HEIGHTS, height_class

CALIBRATION_FILE = "calibration.json"
SET = "hard"  # the one with the most faces


class Threshold(NamedTuple):
    """Detections at `score_threshold` or more have the precision; None where no score has it."""

    score_threshold: float | None
    precision: float | None  # of those detections
    recall: float | None  # share of faces that they find; None too where there are no faces
    detections: int  # how many they are: of a few, a precision means little


def parse_target(text: str) -> float:
    """The precision of `precision=0.99`.

    Raises:
        InputError: something else, or not above 0 and at most 1.
    """
    name, _, number = text.partition("=")
    try:
        target = float(number) if name == "precision" else 0.0
    except ValueError:
        target = 0.0
    if not 0 < target <= 1:
        raise InputError(f"--calibrate: expected such as precision=0.99, found {text!r}")
    return target


def calibrate(outcome: Outcome, precision: float) -> tuple[Threshold, list[Threshold]]:
    """The least thresholds at which detections have a precision in the set hard.

    Returns:
        Of all detections; and of those of each class of heights by itself, as in HEIGHTS.
    """
    detections = height_class(outcome.matches.rows[:, 3])
    faces = height_class(outcome.faces[:, 3])
    everything = np.ones(len(detections), bool), np.ones(len(faces), bool)
    by_height = [
        _threshold(outcome, precision, detections == i, faces == i) for i in range(len(HEIGHTS))
    ]
    return _threshold(outcome, precision, *everything), by_height


def write_calibration(
    folder: Path, outcome: Outcome, precision: float, report: Mapping[str, Any]
) -> Threshold:
    """Writes `calibration.json` into a folder that exists.

    Args:
        folder: of the results.
        outcome: what became of faces and detections.
        precision: to be reached.
        report: of write_report, from which the file tells what it holds for.

    Returns:
        The overall threshold.
    """
    overall, by_height = calibrate(outcome, precision)
    edges = zip(HEIGHTS, [*HEIGHTS[1:], None], strict=True)
    maker = report["made_by"] or report
    content = {
        "target": {"precision": precision},
        "set": SET,
        "iou": report["config"]["eval"]["iou"],
        **overall._asdict(),
        "by_height": [
            {"from": low, "to": high, **each._asdict()}
            for (low, high), each in zip(edges, by_height, strict=True)
        ],
        **{key: maker[key] for key in ("source", "sha256", "protocol")},
    }
    text = json.dumps(content, indent=2) + "\n"
    (folder / CALIBRATION_FILE).write_text(text, encoding="utf-8")
    return overall


def read_threshold(file: Path) -> float:
    """The overall threshold of a file that was written, as a detector takes it.

    Detectors keep what is above their threshold, and precision was reached with what is at it too:
    this is the next smaller number in float32.

    Raises:
        InputError: there is no such file, it is no calibration, or no score had the precision.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        target, threshold = content["target"]["precision"], content["score_threshold"]
        least = None if threshold is None else np.nextafter(np.float32(threshold), np.float32(0))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not what eval.py --calibrate writes ({error!r})") from None
    if least is None:
        raise InputError(f"{file}: no score has a precision of {target}; calibrate for less")
    return float(least)


def _threshold(outcome: Outcome, precision: float, detections: Mask, faces: Mask) -> Threshold:
    kept = regarded(outcome, SET) & detections
    scores, hit = outcome.matches.rows[kept, 4], outcome.hit[kept]
    order = np.argsort(-scores, kind="stable")
    place = _last_with(precision, scores[order], hit[order])
    if place is None:
        return Threshold(None, None, None, 0)
    threshold = float(scores[order][place])
    best = outcome.best[outcome.counted[SET] & faces]
    return Threshold(
        threshold,
        float(np.mean(hit[order][: place + 1])),
        float(np.mean(best >= threshold)) if len(best) else None,
        place + 1,
    )


def _last_with(precision: float, scores: Floats, hit: Mask) -> int | None:
    """The last place of detections, best first, up to which they have the precision."""
    share = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    # A threshold takes all of equal scores or none.
    ends = np.append(scores[1:] < scores[:-1], True)[: len(scores)]
    places = np.flatnonzero(ends & (share >= precision))
    return int(places[-1]) if len(places) else None
