"""Cuts missed faces and false detections out of their images, for a page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.drawing import Picture, Window, window_around
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import Floats
from retinaface_tf.evaluation.outcome import Outcome, in_any_set, why_false
from retinaface_tf.geometry.heights import HEIGHT_NAMES, height_class
from retinaface_tf.tiles import Box, Tile, make_tile

MAX_THUMBNAILS = 48
_MARGIN, _MIN_SIDE = 1.0, 96  # of the window: in sides of its subject, and in pixels


@dataclass(frozen=True)
class Thumbnail:
    """Shows its subject, a face or a detection, with the boxes around it."""

    image: str
    height: float  # of the subject, pixels
    height_class: str
    score: float | None  # of the subject or, for a missed face, of its hit
    reason: str
    tile: Tile

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
        faces: positions of the missed faces.
        files: images by name; faces in other images, and in files that cannot be read, are left
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
    """Shows false detections, with the arguments and limit of `missed_thumbnails`."""
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
    images: dict[str, Picture | None] = {}  # many subjects may share an image
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


def _read(file: Path | None) -> Picture | None:
    """Reads an image; returns None if the file is missing or not a whole image."""
    try:
        return None if file is None else read_image(file)
    except InputError:
        return None


def _thumbnail(outcome: Outcome, subject: _Subject, image: Picture) -> Thumbnail:
    corners = np.concatenate([subject.box[:2], subject.box[:2] + subject.box[2:]])
    around = window_around(corners, image.shape, _MARGIN, min_square=_MIN_SIDE)
    window = around or Window(0, 0, image.shape[1], image.shape[0])
    return Thumbnail(
        image=outcome.images[subject.image],
        height=float(subject.box[3]),
        height_class=HEIGHT_NAMES[int(height_class(subject.box[3:])[0])],
        score=subject.score,
        reason=subject.reason,
        tile=make_tile(image, window, _boxes(outcome, subject)),
    )


def _boxes(outcome: Outcome, subject: _Subject) -> list[Box]:
    """Lists the faces of an image, then its detections, highest score first."""
    evaluated = in_any_set(outcome)
    faces = np.flatnonzero(outcome.face_image == subject.image)
    found = np.flatnonzero(outcome.matches.image == subject.image)
    found = found[np.argsort(-outcome.matches.rows[found, 4], kind="stable")]
    kinds = ["labelled" if evaluated[i] else "ignored" for i in faces] + ["detected"] * len(found)
    rows = np.concatenate([outcome.faces[faces], outcome.matches.rows[found, :4]])
    rounded = rows.round(1).tolist()
    scores = [None] * len(faces) + outcome.matches.rows[found, 4].tolist()
    return [
        Box(x, y, w, h, f"{kind} subject" if np.array_equal(row, subject.box) else kind, score)
        for row, (x, y, w, h), kind, score in zip(rows, rounded, kinds, scores, strict=True)
    ]
