"""Faces drawn into pictures, RGB uint8 [H, W, 3] as all images here."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

GREEN, RED, BLUE = (0, 200, 0), (230, 0, 0), (60, 120, 255)
NO_LANDMARKS = np.zeros((0, 5, 2))


class Window(NamedTuple):
    """Marks a part of an image in whole pixels; the far edges are not included."""

    x1: int
    y1: int
    x2: int
    y2: int

    def cut(self, image: Picture) -> Picture:
        """Returns the pixels of the window, a view of the image."""
        return image[self.y1 : self.y2, self.x1 : self.x2]


def window_around(
    box: NDArray[np.floating],
    shape: tuple[int, ...],
    margin: float,
    *,
    min_square: float | None = None,
) -> Window | None:
    """Finds the window that shows a box and its surroundings, as far as the image goes.

    Args:
        box: x1 y1 x2 y2 [4] in pixels.
        shape: of the image, (height, width, ...).
        margin: on each side of the box, by the box's own width and height.
        min_square: the window is square, by the longer side of the box, and at least so many
            pixels wide before it is cut to the image; None keeps the shape of the box.

    Returns:
        The window, rounded outwards; None where the image has no pixel of it.
    """
    sides = box[2:] - box[:2]
    reach = margin * sides
    if min_square is not None:
        reach = (max((1 + 2 * margin) * np.abs(sides).max(), min_square) - sides) / 2
    size = np.array(shape[1::-1])
    x1, y1 = np.clip(np.floor(box[:2] - reach), 0, size).astype(int).tolist()
    x2, y2 = np.clip(np.ceil(box[2:] + reach), 0, size).astype(int).tolist()
    return Window(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


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
