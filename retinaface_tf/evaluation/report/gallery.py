"""Cuts missed faces and false detections out of their images, for a page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.drawing import Window, window_around
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import Floats
from retinaface_tf.evaluation.outcome import Outcome, in_any_set, why_false
from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class
from retinaface_tf.html_page import data_uri

# A page has to open on a phone: 96 thumbnails of at most some 25 kB each.
MAX_THUMBNAILS = 48
_LONG_SIDE, _JPEG_QUALITY = 320, 72
_MARGIN, _MIN_SIDE = 1.0, 96  # of the window: in sides of its subject; pixels
_MAX_BOXES = 40


@dataclass(frozen=True)
class Box:
    x: float  # pixels of the window, as all of them
    y: float
    w: float
    h: float
    kind: str  # face, ignored (a face of no set) or found; with `subject` for one of them
    score: float | None


@dataclass(frozen=True)
class Thumbnail:
    """Shows a face or a detection, its subject, with the boxes around it."""

    image: str
    height: float  # of the subject, pixels
    height_class: str
    score: float | None  # of the subject, or of the hit of a face that was missed
    reason: str
    url: str  # JPEG as a data URI
    size: tuple[int, int]  # width and height of the window, pixels of the image
    boxes: list[Box]

    @property
    def event(self) -> str:
        """Returns the folder of the image."""
        return self.image.split("/")[0]


class _Subject(NamedTuple):
    image: int  # position in the outcome
    box: Floats  # [4], x y w h in pixels
    score: float | None
    reason: str


def missed_thumbnails(
    outcome: Outcome, faces: Iterable[int], files: Mapping[str, Path]
) -> list[Thumbnail]:
    """Shows missed faces, at most MAX_THUMBNAILS.

    Args:
        outcome: of all images.
        faces: positions of the missed ones.
        files: images by name; faces of other images, and of files that cannot be read, are left
            out.
    """
    overlap = np.zeros(len(outcome.faces))
    np.maximum.at(overlap, outcome.matches.face, outcome.matches.overlap)
    subjects = []
    for face in faces:
        score = float(outcome.hit_scores[face]) if np.isfinite(outcome.hit_scores[face]) else None
        not_matched = "misplaced" if overlap[face] > 0 else "not seen"
        reason = not_matched if score is None else "low score"
        image = int(outcome.face_image[face])
        subjects.append(_Subject(image, outcome.faces[face], score, reason))
    return _thumbnails(outcome, subjects, files)


def false_thumbnails(
    outcome: Outcome, detections: Iterable[int], files: Mapping[str, Path]
) -> list[Thumbnail]:
    """Shows false detections, at most MAX_THUMBNAILS; arguments as of `missed_thumbnails`."""
    rows, images = outcome.matches.rows, outcome.matches.image
    subjects = [
        _Subject(int(images[i]), rows[i, :4], float(rows[i, 4]), why_false(outcome, i))
        for i in detections
    ]
    return _thumbnails(outcome, subjects, files)


def _thumbnails(
    outcome: Outcome, subjects: Iterable[_Subject], files: Mapping[str, Path]
) -> list[Thumbnail]:
    thumbnails: list[Thumbnail] = []
    images: dict[str, NDArray[np.uint8] | None] = {}  # many subjects may share an image
    for subject in subjects:
        name = outcome.images[subject.image]
        if len(thumbnails) == MAX_THUMBNAILS:
            break
        if name not in images:
            images[name] = _read(files.get(name))
        image = images[name]
        if image is not None:
            thumbnails.append(_thumbnail(outcome, subject, image))
    return thumbnails


def _read(file: Path | None) -> NDArray[np.uint8] | None:
    """Reads an image; returns None where there is no file or no whole image."""
    try:
        return None if file is None else read_image(file)
    except InputError:
        return None


def _thumbnail(outcome: Outcome, subject: _Subject, image: NDArray[np.uint8]) -> Thumbnail:
    corners = np.concatenate([subject.box[:2], subject.box[:2] + subject.box[2:]])
    around = window_around(corners, image.shape, _MARGIN, min_square=_MIN_SIDE)
    window = around or Window(0, 0, image.shape[1], image.shape[0])
    return Thumbnail(
        image=outcome.images[subject.image],
        height=float(subject.box[3]),
        height_class=HEIGHT_NAMES[int(height_class(subject.box[3:])[0])],
        score=subject.score,
        reason=subject.reason,
        url=_jpeg(window.cut(image)),
        size=(window.x2 - window.x1, window.y2 - window.y1),
        boxes=_boxes(outcome, subject, window),
    )


def _jpeg(piece: NDArray[np.uint8]) -> str:
    """Encodes a piece of an RGB image as a data URI, reduced to _LONG_SIDE."""
    factor = min(1.0, _LONG_SIDE / max(piece.shape[:2]))
    small = cv2.resize(piece, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return data_uri(small, _JPEG_QUALITY)


def _boxes(outcome: Outcome, subject: _Subject, window: Window) -> list[Box]:
    """Lists the faces in a window, and then its detections, highest score first."""
    evaluated = in_any_set(outcome)
    faces = np.flatnonzero(outcome.face_image == subject.image)
    found = np.flatnonzero(outcome.matches.image == subject.image)
    found = found[np.argsort(-outcome.matches.rows[found, 4], kind="stable")]
    kinds = ["face" if evaluated[i] else "ignored" for i in faces] + ["found"] * len(found)
    rows = np.concatenate([outcome.faces[faces], outcome.matches.rows[found, :4]])
    scores = [None] * len(faces) + outcome.matches.rows[found, 4].tolist()
    boxes = [
        _box(row, window, f"{kind} subject" if np.array_equal(row, subject.box) else kind, score)
        for row, kind, score in zip(rows, kinds, scores, strict=True)
        if _meets(row, window)
    ]
    return boxes[:_MAX_BOXES]


def _box(row: Floats, window: Window, kind: str, score: float | None) -> Box:
    x, y, w, h = row.round(1).tolist()
    return Box(x - window.x1, y - window.y1, w, h, kind, score)


def _meets(box: Floats, window: Window) -> bool:
    x, y, w, h = box
    in_columns = x < window.x2 and x + w > window.x1
    return bool(in_columns and y < window.y2 and y + h > window.y1)
