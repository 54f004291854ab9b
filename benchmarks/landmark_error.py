"""Measures how far landmarks are from their labels, over faces that two detectors both find.

    python benchmarks/landmark_error.py data/held_out/30 mobilenet025 retinaface_mobilenet025.pth

The first argument is a data set whose val has landmarks (see held_out.py); the others are whatever
names weights. A face is found where a detection of score 0.5 or more overlaps its box by an IoU of
0.5. Its error is the mean distance of its five points, divided by the distance of its eyes, or by
the square root of its box's area. Eyes seen from the side are next to each other, so that the
former leaves out faces whose eyes are closer than a tenth of that root.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinaface_tf import Detector, cli, load_detector
from retinaface_tf.data.records import Records
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError

MIN_IOU = 0.5
MIN_EYES = 0.1  # distance, by the root of the box's area

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Faces:
    """Labelled faces of a set of images, and what a detector says of each."""

    boxes: Floats  # [N, 4]
    labelled: Floats  # [N, 5, 2]
    found: Floats  # [N, 5, 2]; NaN where the face was not found

    @property
    def is_found(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.found[:, 0, 0])


def main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        raise InputError("expected a data set and two weights")
    cli.start_tensorflow()
    root, *sources = arguments
    records = read_records(Path(root) / "val" / "label.txt")
    ours, theirs = (find_landmarks(load_detector(source), records) for source in sources)
    both = ours.is_found & theirs.is_found
    counts = [int(mask.sum()) for mask in (ours.is_found, theirs.is_found, both)]
    print(f"{len(both)} faces with landmarks; found: {counts[0]}, {counts[1]}, by both {counts[2]}")
    for name, size, kept in scales(ours):
        errors = [error(faces, size)[both & kept] for faces in (ours, theirs)]
        means, medians = (np.round([f(e) for e in errors], 4) for f in (np.mean, np.median))
        print(
            f"by {name}, {len(errors[0])} faces: mean {means[0]} and {means[1]}, ratio "
            f"{means[0] / means[1]:.3f}; median {medians[0]} and {medians[1]}, ratio "
            f"{medians[0] / medians[1]:.3f}"
        )
    return 0


def scales(faces: Faces) -> list[tuple[str, Floats, NDArray[np.bool_]]]:
    """Returns what errors are divided by [N], each with its name and the faces that it suits."""
    box = np.sqrt(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1))
    eyes = np.linalg.norm(faces.labelled[:, 0] - faces.labelled[:, 1], axis=1)
    return [("distance of eyes", eyes, eyes > MIN_EYES * box), ("box", box, box > 0)]


def error(faces: Faces, size: Floats) -> Floats:
    """Returns the mean distance of the five points of each face, by its size [N]."""
    return np.linalg.norm(faces.found - faces.labelled, axis=2).mean(axis=1) / size


def find_landmarks(detector: Detector, records: Records) -> Faces:
    """Detects in all images, and pairs each labelled face with the detection that overlaps most."""
    found = np.full_like(records.landmarks, np.nan)
    for image in range(len(records)):
        rows = slice(records.splits[image], records.splits[image + 1])
        faces = detector.detect(records.path(image))
        if len(faces):
            overlaps = iou(records.boxes[rows], faces.boxes)
            is_found = overlaps.max(axis=1) >= MIN_IOU
            found[rows][is_found] = faces.landmarks[overlaps.argmax(axis=1)[is_found]]
    kept = records.has_landmarks
    return Faces(records.boxes[kept], records.landmarks[kept], found[kept])


def iou(boxes: Floats, others: Floats) -> Floats:
    """Returns the intersection over union [N, M] of `x1 y1 x2 y2` [N, 4] and [M, 4]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas, other_areas = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, others))
    return shared / (areas[:, None] + other_areas - shared)


if __name__ == "__main__":
    cli.run(main)
