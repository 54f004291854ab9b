"""Turns, scales and moves faces so that their landmarks are where recognition expects them."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray


class Template(NamedTuple):
    """States where the landmarks of an aligned face are."""

    side: int  # pixels of the square picture
    points: tuple[tuple[float, float], ...]  # five x y, in the order of structures


# Where ArcFace and most networks of face recognition since have them (InsightFace's `arcface_dst`).
ARCFACE112 = Template(
    112,
    (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
)
TEMPLATES = {"arcface112": ARCFACE112}


def similarity(points: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Finds the rotation, scale and shift that bring points nearest to others, by least squares.

    The result is never a reflection. The solution is Umeyama's (PAMI 1991), in complex numbers: in
    the plane, rotating and scaling is a product. OpenCV's estimateAffinePartial2D would leave out
    points that fit badly.

    Args:
        points: [N, 2], of which at least two differ.
        target: [N, 2].

    Returns:
        The matrix [2, 3] that takes (x, y, 1) of `points` to those of `target`.
    """
    ours, theirs = _as_complex(points), _as_complex(target)
    centred, aim = ours - ours.mean(), theirs - theirs.mean()
    turn = np.vdot(centred, aim) / max(np.vdot(centred, centred).real, np.finfo(float).tiny)
    shift = theirs.mean() - turn * ours.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _as_complex(points: ArrayLike) -> NDArray[Any]:
    x, y = np.asarray(points, np.float64).T
    return x + 1j * y


def align_face(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], template: Template
) -> NDArray[np.uint8]:
    """Cuts out an aligned face, black where the image has ended.

    Args:
        image: RGB [H, W, 3].
        matrix: of `similarity`, from the landmarks of the face to those of the template.
        template: says how large the result is.

    Returns:
        RGB [side, side, 3].
    """
    side = template.side
    aligned = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(aligned, np.uint8)
