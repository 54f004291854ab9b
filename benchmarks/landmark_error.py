"""Measures how far landmarks are from their labels, over faces that both of two detectors find.

    python benchmarks/landmark_error.py data/held_out/30 mobilenet025 retinaface_mobilenet025.pth

The first argument is a data set whose val has landmarks (see held_out.py); the others name weights.
A face is found if one of the detections that `detect` returns overlaps its box with an IoU of at
least 0.5. Its error is the mean distance of its five points from their labels, divided by the
distance of its eyes or by the square root of its box's area. As eyes seen from the side are close
together, the former leaves out faces whose eyes are closer than a tenth of that root.
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
MIN_EYES = 0.1  # distance, divided by the root of the box's area

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Faces:
    """Holds the labelled faces of a set of images, and the landmarks that a detector found."""

    boxes: Floats  # [N, 4]
    labelled: Floats  # [N, 5, 2]
    found: Floats  # [N, 5, 2]; NaN if the face was not found

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
        of_ours, of_theirs = ((error(f) / size.clip(1e-6))[both & kept] for f in (ours, theirs))
        print(f"by {name}, {len(of_ours)} faces:")
        for average in (np.mean, np.median):
            one, other = float(average(of_ours)), float(average(of_theirs))
            print(f"  {average.__name__} {one:.4f} and {other:.4f}, ratio {one / other:.3f}")
    return 0


def scales(faces: Faces) -> list[tuple[str, Floats, NDArray[np.bool_]]]:
    """Returns the divisors of errors [N], each with its name and the faces that it suits."""
    box = np.sqrt(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1))
    eyes = np.linalg.norm(faces.labelled[:, 0] - faces.labelled[:, 1], axis=1)
    return [("distance of eyes", eyes, eyes > MIN_EYES * box), ("box", box, box > 0)]


def error(faces: Faces) -> Floats:
    """Returns the mean distance of the five points of each face in pixels [N]."""
    return np.linalg.norm(faces.found - faces.labelled, axis=2).mean(axis=1)


def find_landmarks(detector: Detector, records: Records) -> Faces:
    """Detects in all images, and pairs each labelled face with the detection of highest IoU."""
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
