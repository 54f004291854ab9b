"""Writes detections as JSON lines and CSV, by this schema.

`detections.jsonl` has a line for each image or frame, always with the same keys:

    file     as it was given, but without the user and password of a stream's address
    frame    number in the video, from 0; null for an image
    seconds  since the first frame of the video; null for an image
    width, height    in pixels, upright
    faces    best first, an empty list if there are none; each has
        box        [x1, y1, x2, y2] in pixels
        score      0..1
        landmarks  [[x, y], ...]: left eye, right eye, nose, left and right mouth corner, as seen
        crop       file of the cut-out face, below the folder of results; null if not requested
        aligned    file of the aligned face, below the folder of results; null if not requested
        matrix     [2][3] that maps pixels of the image to those of `aligned`; null without it

`detections.csv` has a line for each face, with the columns CSV_COLUMNS.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.detect.frames import Frame
from retinaface_tf.detections import Detections
from retinaface_tf.structures import LANDMARKS
from retinaface_tf.wording import counted

LINES_FILE, CSV_FILE = "detections.jsonl", "detections.csv"
CSV_COLUMNS = (
    *("file", "frame", "seconds", "width", "height", "score", "x1", "y1", "x2", "y2"),
    *(f"{name}_{axis}" for name in LANDMARKS for axis in "xy"),
    *("crop", "aligned"),
)


class CutOut(NamedTuple):
    """Names the files that were cut out of an image for one face."""

    crop: str | None = None
    aligned: str | None = None
    matrix: NDArray[np.float64] | None = None  # [2, 3], see the schema above


class Results:
    """Writes both files as detections come, so that they are kept if a later input fails.

    Attributes:
        images: how many images and frames were added.
        frames: how many of these are frames of videos and cameras.
        faces: how many faces these have.
    """

    def __init__(self, folder: Path):
        """Opens the files in a folder, creating it if absent."""
        folder.mkdir(parents=True, exist_ok=True)
        self.images = self.frames = self.faces = 0
        self._lines = (folder / LINES_FILE).open("w", encoding="utf-8")
        # File names need not be UTF-8.
        self._csv = (folder / CSV_FILE).open(
            "w", encoding="utf-8", errors="backslashreplace", newline=""
        )
        self._rows = csv.DictWriter(self._csv, CSV_COLUMNS, lineterminator="\n")
        self._rows.writeheader()

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._csv.close()

    def __str__(self) -> str:
        """Returns how many faces are in how many images, as in `1 face in 2 images`."""
        counts = {"image": self.images - self.frames, "frame": self.frames}
        places = [counted(count, name) for name, count in counts.items() if count]
        return f"{counted(self.faces, 'face')} in {' and '.join(places) or 'no image'}"

    def write(self, frame: Frame, faces: Detections, cut_outs: Sequence[CutOut]) -> None:
        """Adds an image or a frame.

        Args:
            frame: in which the faces are.
            faces: of the frame.
            cut_outs: one for each face.
        """
        line = as_line(frame, faces, cut_outs)
        self._lines.write(json.dumps(line) + "\n")
        about = _about(frame)
        self._rows.writerows(about | _as_columns(face) for face in line["faces"])
        self.images += 1
        self.frames += frame.number is not None
        self.faces += len(faces)


def as_line(frame: Frame, faces: Detections, cut_outs: Sequence[CutOut]) -> dict[str, Any]:
    """Returns the line of `detections.jsonl` for an image or frame; arguments as for `write`."""
    described = [_as_json(*each) for each in zip(faces, cut_outs, strict=True)]
    return _about(frame) | {"faces": described}


def _about(frame: Frame) -> dict[str, Any]:
    height, width, _ = frame.pixels.shape
    seconds = None if frame.seconds is None else round(frame.seconds, 3)
    return {
        "file": frame.source.name,
        "frame": frame.number,
        "seconds": seconds,
        "width": width,
        "height": height,
    }


def _as_json(face: Detections, cut_out: CutOut) -> dict[str, Any]:
    boxes, landmarks = face.boxes.astype(np.float64), face.landmarks.astype(np.float64)
    return {
        "box": boxes[0].round(2).tolist(),
        "score": round(float(face.scores[0]), 5),
        "landmarks": landmarks[0].round(2).tolist(),
        "crop": cut_out.crop,
        "aligned": cut_out.aligned,
        "matrix": None if cut_out.matrix is None else cut_out.matrix.round(6).tolist(),
    }


def _as_columns(described: dict[str, Any]) -> dict[str, Any]:
    points = [value for point in described["landmarks"] for value in point]
    columns = CSV_COLUMNS[6:20]  # the box's, then the landmarks'
    numbers = dict(zip(columns, [*described["box"], *points], strict=True))
    return numbers | {name: described[name] for name in ("score", "crop", "aligned")}
