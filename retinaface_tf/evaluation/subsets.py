"""AP of a part of the faces: by height, by WIDER FACE's attributes, by event (NumPy only).

Detections that match a face outside of the part are ignored, as the protocol does with faces that
do not count. Which false detections count against a part is a choice; each function says its own.
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
from retinaface_tf.evaluation.outcome import Outcome, regarded
from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class


class Subset(NamedTuple):
    name: str
    faces: int
    ap: float  # 0..1; NaN where there are no faces
    recall: float  # 0..1, share of faces found at the threshold; NaN likewise


class Event(NamedTuple):
    name: str
    images: int
    faces: int  # that count in hard
    ap: dict[str, float]  # set -> 0..1; NaN where none of its faces count
    missed: int  # faces of hard not found at the threshold
    false: int  # detections at the threshold


def ap_by_height(outcome: Outcome, threshold: float) -> list[Subset]:
    """Of all faces of a height; false detections count in the class of their own height."""
    faces, rows = height_class(outcome.faces[:, 3]), height_class(outcome.matches.rows[:, 3])
    return [
        _subset(outcome, name, faces == i, threshold, outcome.matches.matched | (rows == i))
        for i, name in enumerate(HEIGHT_NAMES)
    ]


def ap_by_attribute(
    outcome: Outcome, attributes: NDArray[np.int64], threshold: float
) -> dict[str, list[Subset]]:
    """Of all faces with each value of each attribute; all false detections count.

    Args:
        outcome: of all images.
        attributes: [F, 6], columns as in ATTRIBUTES.
        threshold: of the recall.
    """
    return {
        attribute: [
            _subset(outcome, name, attributes[:, column] == value, threshold)
            for value, name in enumerate(values)
        ]
        for column, (attribute, values) in enumerate(ATTRIBUTES.items())
    }


def ap_by_event(outcome: Outcome, threshold: float) -> list[Event]:
    """By the folders of the images; scores stay normalised over all of them."""
    names, event = np.unique([image.split("/")[0] for image in outcome.images], return_inverse=True)
    faces, rows = event[outcome.face_image], event[outcome.matches.image]
    hard = outcome.counted["hard"]
    false = regarded(outcome, "hard") & ~outcome.hit & (outcome.matches.rows[:, 4] >= threshold)
    return [
        Event(
            name=str(name),
            images=int(np.count_nonzero(event == i)),
            faces=int(np.count_nonzero(hard & (faces == i))),
            ap={
                each: _ap(outcome, outcome.counted[each] & (faces == i), rows == i) for each in SETS
            },
            missed=int(np.count_nonzero(hard & (faces == i) & (outcome.best < threshold))),
            false=int(np.count_nonzero(false & (rows == i))),
        )
        for i, name in enumerate(names)
    ]


def _subset(
    outcome: Outcome, name: str, faces: Mask, threshold: float, regarded: Mask | None = None
) -> Subset:
    # Boxes without area, which the labels have, cannot be found.
    faces = faces & (outcome.faces[:, 2:] > 0).all(axis=1)
    count = int(np.count_nonzero(faces))
    found = int(np.count_nonzero(outcome.best[faces] >= threshold))
    recall = found / count if count else float("nan")
    return Subset(name, count, _ap(outcome, faces, regarded), recall)


def _ap(outcome: Outcome, counted: Mask, regarded: Mask | None) -> float:
    if not counted.any():
        return float("nan")
    return average_precision(precision_recall_of(outcome.matches, counted, regarded))
