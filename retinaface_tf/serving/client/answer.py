"""Checks the answer of a server, which may be anything, before it is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import ImageError, InputError

_INTEGERS, _NUMBERS = "iu", "iuf"  # kinds of NumPy types
# Outputs for each detection, and their shapes.
_DETECTION: dict[str, tuple[int, ...]] = {"boxes": (4,), "scores": (), "landmarks": (5, 2)}
_IMAGE = ("num_detections", "error")  # outputs for each image
OUTPUTS = (*_DETECTION, *_IMAGE)


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """Holds the faces that a server found in one image, best first.

    Attributes:
        boxes: float32 [N, 4], `x1 y1 x2 y2` in pixels of the upright image.
        scores: float32 [N].
        landmarks: float32 [N, 5, 2], `x y` of left eye, right eye, nose, left and right mouth
            corner, in pixels of the upright image.
        error: why the server could not process the image, which then has no faces;
            ImageError.NONE if it could.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    error: ImageError


def read_answer(outputs: Mapping[str, NDArray[Any]], images: int) -> list[FoundFaces]:
    """Splits a server's outputs into the faces of each image.

    Args:
        outputs: by name, each [B, ...].
        images: how many were sent, B.

    Raises:
        InputError: an output is missing, has another shape or unexpected content; the message says
            which, to follow the server's URL.
    """
    for name in OUTPUTS:
        if name not in outputs:
            raise InputError(f"expected the output `{name}`, found {_names(outputs)}")
    numbers, errors = (_of_each_image(name, outputs[name], images) for name in _IMAGE)
    rows = _rows(outputs["scores"])
    faces = {
        name: _of_each_detection(name, outputs[name], (images, rows, *shape))
        for name, shape in _DETECTION.items()
    }
    return [
        _faces_of_image({name: faces[name][place] for name in faces}, number, error)
        for place, (number, error) in enumerate(zip(numbers, errors, strict=True))
    ]


def _names(outputs: Mapping[str, NDArray[Any]]) -> str:
    return ", ".join(f"{name:.20}" for name in list(outputs)[:6]) or "none"


def _of_each_image(name: str, values: NDArray[Any], images: int) -> list[int]:
    if values.shape != (images,) or values.dtype.kind not in _INTEGERS:
        raise InputError(
            f"`{name}`: expected {images} integers, found {values.dtype} of shape {values.shape}"
        )
    return [int(value) for value in values]


def _rows(scores: NDArray[Any]) -> int:
    """Returns how many detections an image has room for."""
    return scores.shape[1] if scores.ndim > 1 else 0


def _of_each_detection(
    name: str, values: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    if shape[1] == 0 and values.size == 0:
        values = np.zeros(shape)  # empty lists do not tell their inner shape
    if values.shape != shape or values.dtype.kind not in _NUMBERS:
        raise InputError(
            f"`{name}`: expected numbers of shape {shape}, found {values.dtype} of shape "
            f"{values.shape}"
        )
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _faces_of_image(
    faces: Mapping[str, NDArray[np.float32]], number: int, error: int
) -> FoundFaces:
    if not 0 <= number <= len(faces["scores"]):
        rows = len(faces["scores"])
        raise InputError(f"`num_detections`: expected 0 to {rows}, found {number}")
    if error not in list(ImageError):
        raise InputError(f"`error`: unknown code {error}; a newer model needs a newer client")
    found = {name: values[:number] for name, values in faces.items()}
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise InputError(f"`{name}`: expected finite numbers, found NaN or infinity")
    return FoundFaces(**found, error=ImageError(error))
