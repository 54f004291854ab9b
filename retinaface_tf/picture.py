"""Pictures of detections."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

GREEN, RED = (0, 200, 0), (0, 0, 230)  # OpenCV's order: blue first


def write_picture(
    file: Path, image: NDArray[np.uint8], boxes: Iterable[Any], landmarks: Iterable[Any]
) -> None:
    """Writes an image with its faces, and makes the folders that it needs.

    Args:
        file: of a kind that OpenCV tells by the suffix.
        image: RGB [H, W, 3].
        boxes: x1 y1 x2 y2 of each face, in pixels of the image.
        landmarks: five times x y of each face.
    """
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    thickness = max(1, round(max(picture.shape) / 600))
    for box, points in zip(boxes, landmarks, strict=True):
        x1, y1, x2, y2 = (round(float(value)) for value in box)
        cv2.rectangle(picture, (x1, y1), (x2, y2), GREEN, thickness)
        for x, y in points:
            cv2.circle(picture, (round(float(x)), round(float(y))), thickness, RED, -1)
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), picture)
