"""Faces drawn into pictures, RGB uint8 [H, W, 3] as all images here."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

GREEN, RED, BLUE = (0, 200, 0), (230, 0, 0), (60, 120, 255)
NO_LANDMARKS = np.zeros((0, 5, 2))


def draw_faces(
    image: Picture,
    boxes: NDArray[np.floating],
    landmarks: NDArray[np.floating] = NO_LANDMARKS,
    colour: Colour = GREEN,
) -> Picture:
    """A copy with boxes and landmarks, whose lines are as thick as the image is large.

    Args:
        image: RGB [H, W, 3].
        boxes: x1 y1 x2 y2 [N, 4] in pixels of the image.
        landmarks: five times x y [M, 5, 2].
        colour: of the boxes; landmarks are red.
    """
    picture = image.copy()
    thickness = max(1, round(max(picture.shape) / 600))
    for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, thickness)
    for x, y in landmarks.reshape(-1, 2).round().astype(int).tolist():
        cv2.circle(picture, (x, y), thickness, RED, -1)
    return picture


def write_picture(file: Path, picture: Picture) -> None:
    """Writes a picture, of a kind that OpenCV tells by the suffix, and the folders it needs.

    Raises:
        InputError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise InputError(f"{file}: cannot be written")
