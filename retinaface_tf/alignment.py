"""Rotates, scales and shifts faces so that landmarks are where face recognition expects them."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray


class Template(NamedTuple):
    """Gives the positions of the landmarks in an aligned face."""

    side: int  # of the square picture, in pixels
    points: tuple[tuple[float, float], ...]  # five (x, y), in the order of `structures.LANDMARKS`


# Those of ArcFace and most face recognition networks since (InsightFace's `arcface_dst`).
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
    """Finds the rotation, scale and shift that best map points onto others, by least squares.

    The result is never a reflection. The solution is Umeyama's (PAMI 1991) in complex numbers,
    where rotating and scaling in the plane is a product. OpenCV's estimateAffinePartial2D would
    leave out points that fit badly.

    Args:
        points: [N, 2], at least two of them different.
        target: [N, 2].

    Returns:
        The matrix [2, 3] that maps (x, y, 1) of `points` to (x, y) of `target`.
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
    """Cuts out an aligned face, black outside the image.

    Args:
        image: RGB [H, W, 3].
        matrix: from `similarity`; maps the landmarks of the face to those of the template.
        template: sets the size of the result.

    Returns:
        RGB [side, side, 3].
    """
    side = template.side
    aligned = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(aligned, np.uint8)
