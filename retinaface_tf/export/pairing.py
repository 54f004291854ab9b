"""Pairs the detections of two detectors on one image, and measures how far apart they are."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from retinaface_tf.config import DetectorConfig
from retinaface_tf.evaluation.voting import overlap
from retinaface_tf.structures import DetectionBatch

Floats = NDArray[np.float64]

MAX_PAIR_DISTANCE = 1.0  # pixels between corners, beyond which two boxes are not a pair
LAST_PIXEL = np.array([0, 0, 1, 1])  # NMS includes a box's first and last pixel


class Tolerance(NamedTuple):
    """Holds the differences that rounding explains."""

    pixels: float  # of a corner or a landmark
    score: float  # also of an IoU that decides whether a box is kept


class Found(NamedTuple):
    """Holds the detections of one image."""

    boxes: Floats  # [N, 4]
    scores: Floats  # [N]
    landmarks: Floats  # [N, 10]

    def select(self, which: NDArray[Any]) -> "Found":
        """Returns the detections at the given indices."""
        return Found(*(part[which] for part in self))


class Difference(NamedTuple):
    """Holds the differences between two answers for one image."""

    box: float  # pixels, the largest between corners of paired boxes
    landmark: float  # pixels
    score: float
    paired: int  # boxes that both have
    borderline: int  # boxes that only one has, explained by rounding
    unpaired: int  # boxes that only one has, unexplained


def first_image(detections: DetectionBatch) -> Found:
    """Returns the detections of the first image of a batch."""
    boxes, scores, landmarks, count = (np.asarray(part)[0] for part in detections)
    return Found(
        boxes[:count].astype(np.float64),
        scores[:count].astype(np.float64),
        landmarks[:count].reshape(-1, 10).astype(np.float64),
    )


def compare_answers(
    one: Found, two: Found, config: DetectorConfig, tolerance: Tolerance
) -> Difference:
    """Pairs the nearest boxes of two answers one to one, and judges those left over.

    Args:
        one: detections of an image.
        two: detections of the same image by the other detector.
        config: thresholds and limit of both detectors.
        tolerance: differences that rounding explains.
    """
    distance = cdist(one.boxes, two.boxes, "chebyshev")
    first, second = linear_sum_assignment(np.minimum(distance, MAX_PAIR_DISTANCE))
    close = distance[first, second] < MAX_PAIR_DISTANCE
    first, second = first[close], second[close]
    a, b = one.select(first), two.select(second)
    left_one, left_two = _without(one, first), _without(two, second)
    borderline = _count_borderline(left_one, left_two, two, config, tolerance)
    borderline += _count_borderline(left_two, left_one, one, config, tolerance)
    return Difference(
        box=_largest(a.boxes - b.boxes),
        landmark=_largest(a.landmarks - b.landmarks),
        score=_largest(a.scores - b.scores),
        paired=len(first),
        borderline=borderline,
        unpaired=len(left_one.scores) + len(left_two.scores) - borderline,
    )


def _without(found: Found, paired: NDArray[Any]) -> Found:
    return found.select(np.setdiff1d(np.arange(len(found.scores)), paired))


def _count_borderline(
    left: Found, left_other: Found, other: Found, config: DetectorConfig, tolerance: Tolerance
) -> int:
    """Counts boxes that have no pair because of rounding.

    Rounding decides at the score threshold, at the limit on detections, at the IoU of NMS, and
    between two overlapping boxes of equal score, of which NMS may keep either.

    Args:
        left: boxes of one answer without a pair.
        left_other: boxes of the other answer without a pair.
        other: the whole other answer.
        config: thresholds and limit of both.
        tolerance: differences that rounding explains.
    """
    by_score = np.abs(left.scores - config.score_threshold) <= tolerance.score
    if config.max_detections is not None and len(other.scores) == config.max_detections:
        by_score |= left.scores <= other.scores.min() + tolerance.score
    count = 0
    for box, score, explained in zip(left.boxes, left.scores, by_score, strict=True):
        box = box + LAST_PIXEL
        margin = 4 * tolerance.pixels / (box[2:] - box[:2]).min() + tolerance.score
        iou = overlap(box, other.boxes + LAST_PIXEL)
        by_iou = (np.abs(iou - config.nms_iou) <= margin).any()
        rivals = overlap(box, left_other.boxes + LAST_PIXEL) > config.nms_iou - margin
        by_rank = (rivals & (np.abs(left_other.scores - score) <= tolerance.score)).any()
        count += bool(explained or by_iou or by_rank)
    return count


def _largest(differences: Floats) -> float:
    return float(np.abs(differences).max(initial=0))
