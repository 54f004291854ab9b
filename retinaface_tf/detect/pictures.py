"""Faces drawn, blurred, cut out and aligned in RGB images uint8 [H, W, 3]."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.detect.alignment import Template
from retinaface_tf.detect.results import Found
from retinaface_tf.drawing import Picture, draw_faces, window_around

BLUR_CELLS = 6  # pixels that are left of a face's longer side
BLUR_MARGIN = 0.15  # of the box, on each side: ears and chin tell a person too


def draw(image: Picture, faces: Sequence[Found]) -> Picture:
    """A copy with boxes and landmarks."""
    if not faces:
        return image.copy()
    boxes = np.stack([face.box for face in faces])
    return draw_faces(image, boxes, np.stack([face.landmarks for face in faces]))


def blur(image: Picture, faces: Sequence[Found]) -> Picture:
    """A copy in which each face is a few pixels made large: what they were cannot be undone."""
    picture = image.copy()
    for face in faces:
        window = window_around(face.box, image.shape, BLUR_MARGIN)
        if window is None:
            continue
        part = window.cut(picture)
        height, width = part.shape[:2]
        scale = min(1.0, BLUR_CELLS / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        cells = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        part[:] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    return picture


def crop(image: Picture, face: Found, margin: float) -> Picture | None:
    """A face with a margin, as far as the image goes; None where it lies outside."""
    window = window_around(face.box, image.shape, margin)
    return None if window is None else window.cut(image)


def align(image: Picture, matrix: NDArray[np.float64], template: Template) -> Picture:
    """The template's picture of a face, black where the image has ended."""
    side = template.side
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
