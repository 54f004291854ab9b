"""Judges each face and each detection by the rules behind AP (NumPy only).

Of the detections that match a face, the one with the highest score is the face's hit, and the
others are duplicates. A detection that matches no face is false; one that matches a face outside
the set is ignored.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retinaface_tf.evaluation.average_precision import (
    SETS,
    THRESHOLDS,
    Floats,
    GroundTruth,
    Mask,
    Matches,
    faces_in_set,
    match_detections,
    precision_recall_of,
)

Indices = NDArray[np.int64]

# IoU from which a false detection is a misplaced box, as in TIDE (Bolya et al., 2020).
_MISPLACED_IOU = 0.1


class Outcome(NamedTuple):
    """Says which detection found which face.

    Shape letters: `F` faces and `D` detections of all images that have faces.
    """

    images: tuple[str, ...]  # names, in the order of the ground truth
    faces: Floats  # [F, 4], x y w h in pixels
    face_image: Indices  # [F], position among the images
    in_set: Mapping[str, Mask]  # set -> [F]
    hit_scores: Floats  # [F], score of the face's hit as predicted; -inf without a hit
    matches: Matches
    hit: Mask  # [D], whether the detection is the hit of its face


class Reliability(NamedTuple):
    """Holds a reliability diagram: mean score and precision of each tenth of the scores."""

    detections: Indices  # [10]
    score: Floats  # [10], mean; NaN where there are no detections
    precision: Floats  # [10], hits by detections; NaN where there are no detections

    @property
    def expected_calibration_error(self) -> float:
        """Averages the gap between score and precision, weighted by detections (ECE)."""
        gaps = np.nan_to_num(np.abs(self.score - self.precision))
        return float(np.sum(self.detections * gaps) / max(int(self.detections.sum()), 1))


def examine(
    predictions: Mapping[str, ArrayLike], ground_truth: Mapping[str, GroundTruth], iou: float = 0.5
) -> Outcome:
    """Judges faces and detections, with the arguments and errors of `evaluate_predictions`."""
    matches = match_detections(predictions, ground_truth, iou)
    hit = _hits(matches)
    hit_scores = np.full(len(matches.face_scores), -np.inf)
    hit_scores[matches.face[hit]] = matches.rows[hit, 4]
    boxes = [image.faces for image in ground_truth.values()]
    return Outcome(
        images=tuple(ground_truth),
        faces=np.concatenate([np.zeros((0, 4)), *boxes]),
        face_image=np.repeat(np.arange(len(boxes)), [len(each) for each in boxes]),
        in_set={name: faces_in_set(ground_truth, name) for name in SETS},
        hit_scores=hit_scores,
        matches=matches,
        hit=hit,
    )


def _hits(matches: Matches) -> Mask:
    """Marks the detection [D] with the highest score of each face; of equal scores, the first."""
    matching = np.flatnonzero(matches.matched)
    highest = matching[matches.scores[matching] == matches.face_scores[matches.face[matching]]]
    _, first = np.unique(matches.face[highest], return_index=True)
    hit = np.zeros(len(matches.rows), bool)
    hit[highest[first]] = True
    return hit


def detections_in_set(outcome: Outcome, name: str) -> Mask:
    """Marks the detections [D] that are evaluated in a set: hits, duplicates and false ones.

    The others match a face outside the set and are ignored.
    """
    return ~outcome.matches.matched | outcome.in_set[name][outcome.matches.face]


def max_f1_threshold(outcome: Outcome, name: str) -> float:
    """Finds the score at which F1, the harmonic mean of precision and recall, peaks in a set."""
    precision, recall = precision_recall_of(outcome.matches, outcome.in_set[name])
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    reached = outcome.matches.scores >= THRESHOLDS[f1.argmax()]
    return float(outcome.matches.rows[reached, 4].min(initial=1.0))


def missed_faces(outcome: Outcome, threshold: float) -> Indices:
    """Lists faces of any set without a hit at `threshold` or above, by position, tallest first.

    The taller a face, the less excuse there is for missing it.
    """
    missed = np.flatnonzero(in_any_set(outcome) & (outcome.hit_scores < threshold))
    return missed[np.argsort(-outcome.faces[missed, 3], kind="stable")]


def false_detections(outcome: Outcome, name: str, threshold: float) -> Indices:
    """Lists detections at `threshold` or above that are not a hit in a set, highest score first.

    The result holds positions among the detections, without ignored ones.
    """
    scores = outcome.matches.rows[:, 4]
    false = detections_in_set(outcome, name) & ~outcome.hit & (scores >= threshold)
    positions = np.flatnonzero(false)
    return positions[np.argsort(-scores[positions], kind="stable")]


def in_any_set(outcome: Outcome) -> Mask:
    """Marks the faces [F] that belong to at least one of the sets."""
    return np.any(list(outcome.in_set.values()), axis=0)


def why_false(outcome: Outcome, detection: int) -> str:
    """Names the reason of a false detection: `duplicate`, `misplaced` or `no face`."""
    if outcome.matches.matched[detection]:
        return "duplicate"
    return "misplaced" if outcome.matches.overlap[detection] >= _MISPLACED_IOU else "no face"


def reliability(outcome: Outcome, name: str) -> Reliability:
    """Compares scores of detections with their precision on a set, by tenths of scores."""
    kept = detections_in_set(outcome, name)
    scores, hit = outcome.matches.rows[kept, 4], outcome.hit[kept]
    tenth = np.clip(np.floor(scores * 10), 0, 9).astype(np.int64)
    count, total, hits = (
        np.bincount(tenth, weights, minlength=10) for weights in (None, scores, hit)
    )
    with np.errstate(invalid="ignore"):
        return Reliability(count, total / count, hits / count)
