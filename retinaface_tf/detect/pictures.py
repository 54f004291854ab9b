"""Faces drawn, blurred, cut out and aligned in RGB images uint8 [H, W, 3]."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.detect.alignment import Template
from retinaface_tf.detect.results import Found
from retinaface_tf.drawing import Picture, draw_faces

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
        x1, y1, x2, y2 = window_around(face.box, BLUR_MARGIN, image)
        part = picture[y1:y2, x1:x2]
        if not part.size:
            continue
        height, width = part.shape[:2]
        scale = min(1.0, BLUR_CELLS / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        cells = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        part[:] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    return picture


def window_around(box: NDArray[Any], margin: float, image: Picture) -> tuple[int, int, int, int]:
    """`x1 y1 x2 y2` in whole pixels of the image: a box and its share `margin` on each side."""
    reach = margin * (box[2:] - box[:2])
    size = np.array(image.shape[1::-1])
    near = np.clip(np.floor(box[:2] - reach), 0, size).astype(int).tolist()
    far = np.clip(np.ceil(box[2:] + reach), 0, size).astype(int).tolist()
    return near[0], near[1], far[0], far[1]


def crop(image: Picture, face: Found, margin: float) -> Picture | None:
    """A face with a margin, as far as the image goes; None where it lies outside."""
    x1, y1, x2, y2 = window_around(face.box, margin, image)
    part = image[y1:y2, x1:x2]
    return part if part.size else None


def align(image: Picture, matrix: NDArray[np.float64], template: Template) -> Picture:
    """The template's picture of a face, black where the image has ended."""
    side = template.side
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
