"""Accepts images in the forms that callers have: file names, arrays, Pillow pictures.

Imports no TensorFlow, and Pillow only if the caller passes one of its pictures.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

ImageInput: TypeAlias = "str | os.PathLike[str] | NDArray[np.uint8] | Image"


def as_rgb(image: ImageInput) -> NDArray[np.uint8]:
    """Converts an image to upright RGB pixels.

    Args:
        image: the path of an image file; an array uint8 of shape [H, W, 3] (RGB), [H, W, 4]
            (RGBA, whose transparency is dropped), [H, W] or [H, W, 1] (grey); or a Pillow picture
            in any mode, which is turned upright by its EXIF orientation.

    Returns:
        uint8 [H, W, 3]; an RGB array is returned itself.

    Raises:
        InputError: the file is not an image, the array has another shape or type, or there are
            no pixels.
        TypeError: `image` is neither a path nor an array nor a picture.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(image, pillow.Image):
        return _from_pillow(image)
    if not hasattr(image, "__array__"):
        raise TypeError(f"expected a path, an array or a picture, found {type(image).__name__}")
    return _from_array(np.asarray(image))


def _from_array(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        raise InputError(
            f"expected an image of dtype uint8 with values 0..255, found {pixels.dtype}"
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise InputError(
            f"expected an image of shape [H, W, 3], [H, W, 4] or [H, W], found {pixels.shape}"
        )
    if not pixels.size:
        raise InputError(f"expected an image with pixels, found the shape {pixels.shape}")
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def _from_pillow(picture: "Image") -> NDArray[np.uint8]:
    from PIL import ImageOps

    if 0 in picture.size:
        raise InputError(f"expected an image with pixels, found the size {picture.size}")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):  # Pillow would clip instead of scale
        return _from_array((np.asarray(picture) >> 8).astype(np.uint8))
    return np.asarray(picture.convert("RGB"))
