"""What became of each face and each detection, by the rules behind AP (NumPy only).

Of the detections that match a face, the best is its hit, the others are doubles. A detection that
matches no face is false; one that matches a face that does not count is ignored.
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
    counted_faces,
    match,
    precision_recall_of,
)

Indices = NDArray[np.int64]

# A false detection that overlaps a face less than this has nothing to do with it.
_NEAR = 0.1


class Outcome(NamedTuple):
    """Shape letters: `F` faces and `D` detections of all images that have faces."""

    images: tuple[str, ...]  # names, in the order of the ground truth
    faces: Floats  # [F, 4], x y w h in pixels
    face_image: Indices  # [F], position among the images
    counted: Mapping[str, Mask]  # set -> [F]
    best: Floats  # [F], score of the face's hit; -inf where it has none
    matches: Matches
    hit: Mask  # [D]


class Reliability(NamedTuple):
    """Of the detections of each tenth of scores, how many are right."""

    detections: Indices  # [10]
    score: Floats  # [10], mean; NaN where there are none
    right: Floats  # [10], share of hits; NaN where there are none

    @property
    def error(self) -> float:
        """Mean difference of score and share of hits, weighted by detections (ECE)."""
        gaps = np.nan_to_num(np.abs(self.score - self.right))
        return float(np.sum(self.detections * gaps) / max(int(self.detections.sum()), 1))


def examine(
    predictions: Mapping[str, ArrayLike], ground_truth: Mapping[str, GroundTruth], iou: float = 0.5
) -> Outcome:
    """Arguments and errors are those of `evaluate_predictions`."""
    matches = match(predictions, ground_truth, iou)
    hit = _hits(matches)
    best = np.full(len(matches.best), -np.inf)
    best[matches.face[hit]] = matches.rows[hit, 4]
    boxes = [image.faces for image in ground_truth.values()]
    return Outcome(
        images=tuple(ground_truth),
        faces=np.concatenate([np.zeros((0, 4)), *boxes]),
        face_image=np.repeat(np.arange(len(boxes)), [len(each) for each in boxes]),
        counted={name: counted_faces(ground_truth, name) for name in SETS},
        best=best,
        matches=matches,
        hit=hit,
    )


def _hits(matches: Matches) -> Mask:
    """Which detections [D] are the best of their face; of equal ones the first is."""
    matching = np.flatnonzero(matches.matched)
    best = matching[matches.scores[matching] == matches.best[matches.face[matching]]]
    _, first = np.unique(matches.face[best], return_index=True)
    hit = np.zeros(len(matches.rows), bool)
    hit[best[first]] = True
    return hit


def regarded(outcome: Outcome, name: str) -> Mask:
    """Which detections [D] are right or false in a set, not ignored."""
    return ~outcome.matches.matched | outcome.counted[name][outcome.matches.face]


def best_threshold(outcome: Outcome, name: str) -> float:
    """The score at which F1, the harmonic mean of precision and recall, is best in a set."""
    precision, recall = precision_recall_of(outcome.matches, outcome.counted[name])
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    reached = outcome.matches.scores >= THRESHOLDS[f1.argmax()]
    return float(outcome.matches.rows[reached, 4].min(initial=1.0))


def missed_faces(outcome: Outcome, threshold: float) -> Indices:
    """Faces that count in any set and that no detection at `threshold` or more hits, tallest first.

    The taller a face, the less reason there is to miss it.
    """
    counts = np.any(list(outcome.counted.values()), axis=0)
    missed = np.flatnonzero(counts & (outcome.best < threshold))
    return missed[np.argsort(-outcome.faces[missed, 3], kind="stable")]


def false_detections(outcome: Outcome, name: str, threshold: float) -> Indices:
    """Detections at `threshold` or more that are no hit in a set and not ignored, best first."""
    scores = outcome.matches.rows[:, 4]
    false = np.flatnonzero(regarded(outcome, name) & ~outcome.hit & (scores >= threshold))
    return false[np.argsort(-scores[false], kind="stable")]


def why_false(outcome: Outcome, detection: int) -> str:
    """Of a false detection: `double`, `misplaced` or `no face`."""
    if outcome.matches.matched[detection]:
        return "double"
    return "misplaced" if outcome.matches.overlap[detection] >= _NEAR else "no face"


def reliability(outcome: Outcome, name: str) -> Reliability:
    """How far the scores of detections are from the share of hits among them, in a set."""
    kept = regarded(outcome, name)
    scores, hit = outcome.matches.rows[kept, 4], outcome.hit[kept]
    tenth = np.clip(np.floor(scores * 10), 0, 9).astype(np.int64)
    count, total, right = (
        np.bincount(tenth, weights, minlength=10) for weights in (None, scores, hit)
    )
    with np.errstate(invalid="ignore"):
        return Reliability(count, total / count, right / count)
