"""What every reader of labels returns, and what they share in refusing."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError


class LabelledFace(NamedTuple):
    box: NDArray[np.float64]  # [4], x y w h, pixels of the upright image
    points: NDArray[np.float64] | None  # [5, 2], in the order of structures
    occluded: NDArray[np.bool_]  # [5]
    counted: bool  # whether a detector that misses it is at fault


class LabelledImage(NamedTuple):
    file: Path
    name: str  # below the folder of all images, with `/`
    faces: list[LabelledFace]


def make_face(
    box: Any, points: Any = None, occluded: Any = None, *, counted: bool = True, where: str
) -> LabelledFace:
    """A face of numbers that somebody else wrote.

    Raises:
        InputError: they are not four and, with points, ten finite numbers; begins with `where`.
    """
    try:
        corners = np.array(box, np.float64).reshape(4)
        landmarks = None if points is None else np.array(points, np.float64).reshape(5, 2)
        told = np.concatenate([corners, [] if landmarks is None else landmarks.ravel()])
    except (TypeError, ValueError):
        told = np.array([np.nan])
    if not np.isfinite(told).all():
        found = f"{box}" if points is None else f"{box} and {points}"
        raise InputError(f"{where}: expected a box of 4 finite numbers, found {found:.80}")
    hidden = np.zeros(5, np.bool_) if occluded is None else np.array(occluded, np.bool_)
    return LabelledFace(corners, landmarks, hidden, counted)


def refuse_category(where: Any, wanted: str, there: Collection[Any]) -> InputError:
    names = ", ".join(sorted({str(name) for name in there})) or "none"
    return InputError(f"{where}: has no category {wanted}, expected --category to be of {names}")
