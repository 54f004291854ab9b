"""Shows parts of images on a page, with the boxes and landmarks in them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.drawing import Picture, Window
from retinaface_tf.html_page import data_uri
from retinaface_tf.structures import LANDMARKS

# A page with 96 tiles has to open on a phone.
LONG_SIDE, JPEG_QUALITY, MAX_BOXES = 400, 75, 200


@dataclass(frozen=True)
class Box:
    x: float  # pixels, like all four
    y: float
    w: float
    h: float
    kind: str  # labelled, ignored (a face in no set) or detected; also `subject` for the one shown
    score: float | None = None


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    name: str  # one of LANDMARKS


@dataclass(frozen=True)
class Tile:
    """Holds a part of an image, and what is drawn over it, in pixels of the part."""

    url: str  # JPEG as a data URI
    size: tuple[int, int]  # width and height of the part, pixels of the image
    boxes: list[Box]
    points: list[Point]


def make_tile(
    image: Picture, window: Window, boxes: Iterable[Box], points: Iterable[Point] = ()
) -> Tile:
    """Cuts a window out of an image, with the boxes and points that lie in it.

    Args:
        image: RGB uint8 [H, W, 3].
        window: in pixels of the image.
        boxes: in pixels of the image; the first MAX_BOXES of them are shown.
        points: in pixels of the image.
    """
    x, y = window.x1, window.y1
    seen = [replace(b, x=b.x - x, y=b.y - y) for b in boxes if _shows_box(window, b)]
    return Tile(
        url=_jpeg(window.cut(image)),
        size=(window.x2 - x, window.y2 - y),
        boxes=seen[:MAX_BOXES],
        points=[replace(p, x=p.x - x, y=p.y - y) for p in points if _shows_point(window, p)],
    )


def landmark_points(landmarks: NDArray[np.floating]) -> list[Point]:
    """Names the landmarks of a face, x y [5, 2]."""
    rows = landmarks.round(1).tolist()
    return [Point(x, y, name) for (x, y), name in zip(rows, LANDMARKS, strict=True)]


def _jpeg(piece: Picture) -> str:
    factor = min(1.0, LONG_SIDE / max(piece.shape[:2]))
    height, width = piece.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return data_uri(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), JPEG_QUALITY)


def _shows_box(window: Window, box: Box) -> bool:
    in_columns = box.x < window.x2 and box.x + box.w > window.x1
    return in_columns and box.y < window.y2 and box.y + box.h > window.y1


def _shows_point(window: Window, point: Point) -> bool:
    return window.x1 <= point.x <= window.x2 and window.y1 <= point.y <= window.y2
