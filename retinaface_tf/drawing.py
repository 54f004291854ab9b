"""Draws faces onto images and cuts windows out of images, which are RGB uint8 [H, W, 3]."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.palette import DETECTED, LANDMARK_COLOURS, Colour

Picture = NDArray[np.uint8]

NO_LANDMARKS, NO_SCORES = np.zeros((0, 5, 2)), np.zeros(0)


class Window(NamedTuple):
    """Marks a part of an image in whole pixels; x2 and y2 are not included."""

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
    """Finds the window that shows a box and its surroundings, clipped to the image.

    Args:
        box: x1 y1 x2 y2 [4] in pixels.
        shape: of the image, (height, width, ...).
        margin: to add on each side of the box, in widths and heights of the box.
        min_square: makes the window a square on the longer side of the box, at least this many
            pixels wide before it is clipped to the image; None keeps the shape of the box.

    Returns:
        The window, rounded outwards; None if it lies outside the image.
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
    scores: NDArray[np.floating] = NO_SCORES,
    colour: Colour = DETECTED,
) -> Picture:
    """Draws boxes, landmarks and scores onto a copy of an image.

    Lines, points and digits scale with their face.

    Args:
        image: RGB [H, W, 3].
        boxes: x1 y1 x2 y2 [N, 4] in pixels of the image.
        landmarks: five (x, y) for each of the first M boxes, [M, 5, 2].
        scores: of the same boxes [M], 0..1.
        colour: of boxes and scores, see `palette`; each landmark has its own.
    """
    picture = image.copy()
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    thickness = [max(1, round(side / 100)) for side in sides.tolist()]
    corners = boxes.round().astype(int).tolist()
    for (x1, y1, x2, y2), thick in zip(corners, thickness, strict=True):
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, thick)
    radii = [max(1, round(side / 60)) for side in sides.tolist()]
    for points, radius in zip(landmarks.round().astype(int).tolist(), radii, strict=False):
        for point, of_point in zip(points, LANDMARK_COLOURS, strict=True):
            _draw_point(picture, point, radius, of_point)
    for score, side, (x1, y1, _, _) in zip(scores.tolist(), sides.tolist(), corners, strict=False):
        _write_score(picture, score, (x1, y1), side, colour)
    return picture


def _draw_point(picture: Picture, point: list[int], radius: int, colour: Colour) -> None:
    """Draws a point; unless it is tiny, a dark edge makes it stand out against skin."""
    if radius > 1:
        cv2.circle(picture, point, radius + 1 + radius // 4, (0, 0, 0), -1)
    cv2.circle(picture, point, radius, colour, -1)


def _write_score(
    picture: Picture, score: float, corner: tuple[int, int], side: float, colour: Colour
) -> None:
    """Writes a score above the corner of a box, or below it where the image ends."""
    text, scale = f"{score:.2f}", float(np.clip(side / 200, 0.35, 3))
    thickness = max(1, round(scale))
    (_, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    x, y = corner
    baseline = y - base if y - base >= height else y + height + base
    place = (max(x, 0), baseline)
    cv2.putText(
        picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
    )


def write_picture(file: Path, picture: Picture) -> None:
    """Writes a picture in the format of its suffix, and creates missing folders.

    Raises:
        InputError: the picture cannot be written.
    """
    make_parents(file)
    try:
        # OpenCV cannot open a file whose name is not UTF-8.
        _, data = cv2.imencode(file.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        file.write_bytes(data.tobytes())
    except (OSError, cv2.error) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"{file}: cannot be written ({reason})") from None


def make_parents(file: Path) -> None:
    """Creates the missing folders above a file.

    Raises:
        InputError: a folder cannot be created.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror})") from None
