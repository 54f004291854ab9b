"""Paints polygons and lines, and labels the faces that are visible.

Everything is painted at twice its size and shrunk at the end, so that a face of 12 px still has
eyes. A second plane records whose face is on top at each pixel, which shows what is hidden.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.synthetic.heads import Head
from retinaface_tf.data.synthetic.shapes import Colour, Image, Points

_OVERSAMPLING = 2
_LANDMARKS_FROM = 12  # height in pixels; below it nobody could tell the five points apart
_MOST_HIDDEN = 0.7  # nobody would label a face that is hidden more


@dataclass(frozen=True)
class DrawnFace:
    """Holds the labels of a face."""

    box: tuple[int, int, int, int]  # x y w h in pixels: forehead to chin, within the image
    landmarks: Points | None  # [5, 2] in pixels, in the order of structures
    occluded: NDArray[np.bool_]  # [5], which landmarks are covered
    hidden: float  # share of the face that is covered or beyond the border


class Canvas:
    """Holds the image being painted and, for each pixel, whose face is on top (0: nobody's)."""

    def __init__(self, background: Image) -> None:
        self.size = (background.shape[1], background.shape[0])
        self.image: Image = cv2.resize(background, None, fx=_OVERSAMPLING, fy=_OVERSAMPLING)
        self.owner = np.zeros(self.image.shape[:2], np.uint8)

    def fill(self, points: Points, colour: Colour, owner: int | None = 0) -> None:
        """Paints a polygon in pixels of the final image; None keeps the owner of each pixel."""
        cv2.fillPoly(self.image, [_fixed(points)], colour, cv2.LINE_AA, 4)
        if owner is not None:
            cv2.fillPoly(self.owner, [_fixed(points)], (owner,), cv2.LINE_8, 4)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Paints a line too thin to hide anything; `width` is in pixels of the final image."""
        thickness = max(1, round(width * _OVERSAMPLING))
        cv2.polylines(self.image, [_fixed(points)], False, colour, thickness, cv2.LINE_AA, 4)

    def finish(self, heads: list[Head]) -> tuple[Image, list[DrawnFace]]:
        """Returns the image at its final size, and the labels of its faces; heads[0] owns 1."""
        image = cv2.resize(self.image, self.size, interpolation=cv2.INTER_AREA)
        seen = np.bincount(self.owner.ravel(), minlength=len(heads) + 1)
        faces = [self._label(head, owner, int(seen[owner])) for owner, head in enumerate(heads, 1)]
        return image, [face for face in faces if face.hidden <= _MOST_HIDDEN]

    def _label(self, head: Head, owner: int, seen: int) -> DrawnFace:
        outline, marks = head.flat(head.outline), head.landmarks()
        near, far = np.rint([outline.min(axis=0), outline.max(axis=0)]).clip(0, self.size)
        x, y, width, height = np.concatenate([near, far - near]).astype(int).tolist()
        known = height >= _LANDMARKS_FROM and ((marks >= near) & (marks <= far)).all()
        last = np.subtract(self.owner.shape[::-1], 1)
        column, row = (marks * _OVERSAMPLING).astype(int).clip(0, last).T
        area = cv2.contourArea(outline.astype(np.float32)) * _OVERSAMPLING**2
        return DrawnFace(
            box=(x, y, width, height),
            landmarks=marks if known else None,
            occluded=self.owner[row, column] != owner,
            hidden=float(np.clip(1 - seen / area, 0, 1)),
        )


def _fixed(points: Points) -> NDArray[np.int32]:
    """Converts to OpenCV's fixed-point numbers, whose origin is the middle of the first pixel."""
    return np.rint((points * _OVERSAMPLING - 0.5) * 16).astype(np.int32)
