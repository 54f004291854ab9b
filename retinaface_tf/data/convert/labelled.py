"""Holds labelled images as every reader returns them, and checks untrusted values."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.label_lines import MAX_COORDINATE, has_area
from retinaface_tf.errors import InputError, one_line

DECIMALS = 2  # of a box in label.txt, in pixels


@dataclass(frozen=True)
class LabelledFace:
    box: NDArray[np.float64]  # [4], x y w h, pixels of the upright image
    landmarks: NDArray[np.float64] | None  # [5, 2], in the order of structures.LANDMARKS
    occluded: NDArray[np.bool_]  # [5]
    counted: bool  # whether missing the face counts as an error

    @property
    def has_area(self) -> bool:
        """Tells whether the box has an area, as faces must."""
        return has_area(*self.box[2:])


@dataclass(frozen=True)
class LabelledImage:
    file: Path
    name: str  # below the folder of all images, with `/`
    faces: list[LabelledFace]


def make_face(
    box: Any, landmarks: Any = None, occluded: Any = None, *, counted: bool = True, where: str
) -> LabelledFace:
    """Makes a face from untrusted values.

    Args:
        box: x y w h in pixels of the upright image.
        landmarks: five (x, y), or None.
        occluded: five flags; None means that no landmark is occluded.
        counted: whether missing the face counts as an error.
        where: file and entry, which begin the message of an error.

    Returns:
        The face, with its box rounded as in label.txt, so that all written files agree.

    Raises:
        InputError: box and landmarks are not four and ten numbers, each below a million.
    """
    try:
        corners = np.array(box, np.float64).reshape(4)
        points = None if landmarks is None else np.array(landmarks, np.float64).reshape(5, 2)
        values = np.concatenate([corners, [] if points is None else points.ravel()])
    except (TypeError, ValueError, OverflowError):
        values = np.array([np.nan])
    if not (np.abs(values) < MAX_COORDINATE).all():
        found = one_line(box if landmarks is None else f"{box} and {landmarks}")
        raise InputError(f"{where}: expected a box of 4 finite numbers, found {found:.80}")
    hidden = np.zeros(5, np.bool_) if occluded is None else np.array(occluded, np.bool_)
    return LabelledFace(corners.round(DECIMALS), points, hidden, counted)


def unknown_category(where: Path, wanted: str, existing: Collection[Any]) -> InputError:
    """Returns the error of labels that lack a category."""
    names = one_line(", ".join(sorted({str(name) for name in existing}))) or "none"
    expected = f"expected --category to be one of {names:.200}"
    return InputError(f"{where}: has no category {wanted}, {expected}")
