"""Computes AP on parts of the faces: by height, WIDER FACE attribute, event (NumPy only).

Detections that match a face outside the part are ignored, just as the protocol ignores those that
match faces outside a set. Which false detections lower the AP of a part is a choice that each
function states.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.widerface import ATTRIBUTES
from retinaface_tf.evaluation.average_precision import (
    SETS,
    Mask,
    average_precision,
    precision_recall_of,
)
from retinaface_tf.evaluation.outcome import Outcome, detections_in_set
from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class


class Subset(NamedTuple):
    name: str
    faces: int
    ap: float  # 0..1; NaN without faces
    recall: float  # 0..1, at the threshold; NaN without faces


class Event(NamedTuple):
    name: str
    images: int
    faces: int  # of the set hard
    ap: dict[str, float]  # set -> 0..1; NaN if the event has no face in the set
    missed: int  # faces of hard not found at the threshold
    false: int  # detections at the threshold


def ap_by_height(outcome: Outcome, threshold: float) -> list[Subset]:
    """Computes AP on the faces of each height class; false detections count by their own height."""
    faces, rows = height_class(outcome.faces[:, 3]), height_class(outcome.matches.rows[:, 3])
    return [
        _subset(outcome, name, faces == i, threshold, outcome.matches.matched | (rows == i))
        for i, name in enumerate(HEIGHT_NAMES)
    ]


def ap_by_attribute(
    outcome: Outcome, attributes: NDArray[np.int64], threshold: float
) -> dict[str, list[Subset]]:
    """Computes AP on the faces with each value of each attribute, with all false detections.

    Args:
        outcome: of all images.
        attributes: [F, 6], columns as in ATTRIBUTES.
        threshold: for the recall.
    """
    return {
        attribute: [
            _subset(outcome, name, attributes[:, column] == value, threshold)
            for value, name in enumerate(values)
        ]
        for column, (attribute, values) in enumerate(ATTRIBUTES.items())
    }


def ap_by_event(outcome: Outcome, threshold: float) -> list[Event]:
    """Computes AP by event (the image's folder); scores stay normalised over all images."""
    names, event = np.unique([image.split("/")[0] for image in outcome.images], return_inverse=True)
    faces, rows = event[outcome.face_image], event[outcome.matches.image]
    hard, scores = outcome.in_set["hard"], outcome.matches.rows[:, 4]
    false = detections_in_set(outcome, "hard") & ~outcome.hit & (scores >= threshold)
    return [
        Event(
            name=str(name),
            images=int(np.count_nonzero(event == i)),
            faces=int(np.count_nonzero(hard & (faces == i))),
            ap={
                each: _ap(outcome, outcome.in_set[each] & (faces == i), rows == i) for each in SETS
            },
            missed=int(np.count_nonzero(hard & (faces == i) & (outcome.hit_scores < threshold))),
            false=int(np.count_nonzero(false & (rows == i))),
        )
        for i, name in enumerate(names)
    ]


def _subset(
    outcome: Outcome, name: str, faces: Mask, threshold: float, detections: Mask | None = None
) -> Subset:
    # Boxes without area, which occur in the labels, cannot be found.
    faces = faces & (outcome.faces[:, 2:] > 0).all(axis=1)
    count = int(np.count_nonzero(faces))
    found = int(np.count_nonzero(outcome.hit_scores[faces] >= threshold))
    recall = found / count if count else float("nan")
    return Subset(name, count, _ap(outcome, faces, detections), recall)


def _ap(outcome: Outcome, faces: Mask, detections: Mask | None) -> float:
    if not faces.any():
        return float("nan")
    return average_precision(precision_recall_of(outcome.matches, faces, detections))
