"""Pieces of images around faces that were missed and detections that are false, for a page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import Floats
from retinaface_tf.evaluation.outcome import Outcome, why_false
from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class
from retinaface_tf.pages import data_uri

# A page has to open on a phone: 100 pictures of at most some 25 kB each.
MOST = 48
_LONG_SIDE, _JPEG_QUALITY = 320, 72
_AROUND, _LEAST = 3.0, 96  # a piece's side in sides of its subject, and at least, pixels
_MOST_BOXES = 40


@dataclass(frozen=True)
class Box:
    x: float  # pixels of the piece before it was made smaller, as all here
    y: float
    w: float
    h: float
    kind: str  # face, ignored (a face that does not count), found; `subject` is added to one
    score: float | None = None


@dataclass(frozen=True)
class Picture:
    """A piece of an image with its boxes, and what the page sorts and filters by."""

    image: str
    height: float  # of the subject, pixels
    height_class: str
    score: float | None  # of the subject, or of the best detection of it
    why: str
    url: str = ""  # JPEG as a data URI
    size: tuple[int, int] = (0, 0)  # width and height of the piece
    boxes: list[Box] = field(default_factory=list)

    @property
    def event(self) -> str:
        """The folder of the image."""
        return self.image.split("/")[0]


def missed_pictures(
    outcome: Outcome, missed: Iterable[int], files: Mapping[str, Path]
) -> list[Picture]:
    """Of faces, by their positions: the first MOST whose image is in `files` and can be read."""
    near = np.zeros(len(outcome.faces))
    np.maximum.at(near, outcome.matches.face, outcome.matches.overlap)
    pictures = []
    for face in missed:
        score = float(outcome.best[face]) if np.isfinite(outcome.best[face]) else None
        why = "low score" if score is not None else "misplaced" if near[face] > 0 else "not seen"
        box, image = outcome.faces[face], int(outcome.face_image[face])
        pictures.append((image, box, score, why))
    return _pictures(outcome, pictures, files)


def false_pictures(
    outcome: Outcome, false: Iterable[int], files: Mapping[str, Path]
) -> list[Picture]:
    """Of detections, by their positions: the first MOST whose image can be read."""
    rows, images = outcome.matches.rows, outcome.matches.image
    pictures = [
        (int(images[i]), rows[i, :4], float(rows[i, 4]), why_false(outcome, i)) for i in false
    ]
    return _pictures(outcome, pictures, files)


def _pictures(
    outcome: Outcome,
    subjects: Iterable[tuple[int, Floats, float | None, str]],
    files: Mapping[str, Path],
) -> list[Picture]:
    pictures: list[Picture] = []
    pixels: dict[str, NDArray[np.uint8] | None] = {}  # of images that several subjects share
    for image, box, score, why in subjects:
        name = outcome.images[image]
        if len(pictures) == MOST:
            break
        if name not in pixels:
            pixels[name] = _read(files.get(name))
        if (whole := pixels[name]) is None:
            continue
        window = _window(box, *whole.shape[:2])
        height_name = HEIGHT_NAMES[int(height_class(box[3:])[0])]
        picture = Picture(name, float(box[3]), height_name, score, why, *_piece(whole, window))
        picture.boxes.extend(_boxes(outcome, image, window, box))
        pictures.append(picture)
    return pictures


def _read(file: Path | None) -> NDArray[np.uint8] | None:
    """Reads an image; returns None where there is no file or no whole image."""
    try:
        return None if file is None else read_image(file)
    except InputError:
        return None


def _window(box: Floats, height: int, width: int) -> tuple[int, int, int, int]:
    """x1 y1 x2 y2 of a square around a box, as far as the image goes."""
    side = max(_AROUND * max(box[2], box[3]), _LEAST)
    x, y = box[:2] + box[2:] / 2 - side / 2
    x1, y1 = int(np.clip(x, 0, width - 1)), int(np.clip(y, 0, height - 1))
    x2, y2 = int(np.clip(x + side, x1 + 1, width)), int(np.clip(y + side, y1 + 1, height))
    return x1, y1, x2, y2


def _piece(
    whole: NDArray[np.uint8], window: tuple[int, int, int, int]
) -> tuple[str, tuple[int, int]]:
    """A JPEG of a window as a data URI, and the window's width and height."""
    x1, y1, x2, y2 = window
    piece = whole[y1:y2, x1:x2]
    factor = min(1.0, _LONG_SIDE / max(piece.shape[:2]))
    small = cv2.resize(piece, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return data_uri(small, _JPEG_QUALITY), (x2 - x1, y2 - y1)


def _boxes(
    outcome: Outcome, image: int, window: tuple[int, int, int, int], subject: Floats
) -> list[Box]:
    """Faces and the best detections of an image that lie in a window, in pixels from its corner."""
    counts = np.any(list(outcome.counted.values()), axis=0)
    faces = np.flatnonzero(outcome.face_image == image)
    found = np.flatnonzero(outcome.matches.image == image)
    found = found[np.argsort(-outcome.matches.rows[found, 4], kind="stable")]
    kinds = ["face" if counts[i] else "ignored" for i in faces] + ["found"] * len(found)
    rows = np.concatenate([outcome.faces[faces], outcome.matches.rows[found, :4]])
    scores = [None] * len(faces) + outcome.matches.rows[found, 4].tolist()
    boxes = [
        _box(row, window, f"{kind} subject" if np.array_equal(row, subject) else kind, score)
        for row, kind, score in zip(rows, kinds, scores, strict=True)
        if _meets(row, window)
    ]
    return boxes[:_MOST_BOXES]


def _box(row: Floats, window: tuple[int, int, int, int], kind: str, score: float | None) -> Box:
    x, y, w, h = row.round(1).tolist()
    return Box(x - window[0], y - window[1], w, h, kind, score)


def _meets(box: Floats, window: tuple[int, int, int, int]) -> bool:
    x1, y1, x2, y2 = window
    x, y, w, h = box
    return bool(x < x2 and y < y2 and x + w > x1 and y + h > y1)
