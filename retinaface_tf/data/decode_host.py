"""Decodes image files without TensorFlow to upright RGB pixels, as `data.decode` does in graphs.

Pictures, reports and models of other runtimes use it. For JPEG, PNG, BMP, WebP and GIF, pixels
equal those of the graph byte for byte, with these exceptions:

- CMYK JPEGs: at most 2 of 255 less, since OpenCV divides by 256 where TensorFlow divides by 255.
- CMYK JPEGs without Adobe's segment: values are taken as inverted, as in Pillow; TensorFlow takes
  them as they are, and shows the negative.
- BMPs with a palette: the colours of the palette; TensorFlow returns the indices as grey.
- GIFs whose first frame does not fill the canvas: the whole canvas; TensorFlow returns the frame.
- WebP with transparency, TIFF and other kinds: TensorFlow refuses them.
- Animated WebP: the first frame; TensorFlow refuses it.

Files that claim more than MAX_SIDE or MAX_PIXELS of `config`, or exceed a limit of `data.outline`,
are not decoded.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.config import MAX_PIXELS, MAX_SIDE
from retinaface_tf.data.files import read_bytes
from retinaface_tf.data.outline import UNFILLED, Kind, Outline, outline, with_more_data
from retinaface_tf.errors import InputError


def read_image(file: Path) -> NDArray[np.uint8]:
    """Reads and decodes an image file.

    Returns:
        uint8 [H, W, 3], RGB, turned upright by the EXIF orientation of a JPEG.

    Raises:
        InputError: the file cannot be read or is not a whole image; the message begins with its
            name.
    """
    return decode_bytes(read_bytes(file), str(file))


def decode_bytes(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decodes the bytes of an image file; of an animation, the first frame.

    Args:
        data: the content of the file.
        name: the file's name in the message of an error.
        max_pixels: an image that claims more is refused before it is decoded.

    Returns:
        uint8 [H, W, 3], RGB, turned upright by the EXIF orientation of a JPEG.

    Raises:
        InputError: the file is not an image, is cut short, claims more pixels than it holds, or
            exceeds the limits; the message begins with `name`.
    """
    outlined = outline(data)
    _check(outlined, name, max_pixels)
    image = _decode(data, outlined.kind)
    if image is None:
        raise InputError(f"{name}: not an image")
    if outlined.kind == Kind.JPEG and _may_be_unfilled(image):
        # More data does not change an image that holds all its pixels.
        again = _decode(with_more_data(data, outlined.first_scan_end), outlined.kind)
        if again is None or not np.array_equal(image, again):
            height, width = image.shape[:2]
            raise InputError(f"{name}: claims {width} x {height} pixels but holds fewer")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _check(outlined: Outline, name: str, max_pixels: int) -> None:
    """Refuses a file, before it is decoded, that is not whole or asks for too much.

    Raises:
        InputError: the file is refused.
    """
    height, width = outlined.height, outlined.width
    if max(height, width) > MAX_SIDE or height * width > max_pixels:
        limits = f"at most {max_pixels} pixels, {MAX_SIDE} on a side"
        raise InputError(f"{name}: claims {width} x {height} pixels, expected {limits}")
    if outlined.excess:
        raise InputError(f"{name}: {outlined.excess}")
    if outlined.kind == Kind.JPEG and not outlined.is_whole:
        raise InputError(f"{name}: is cut short, the end of the image is missing")


def _decode(data: bytes, kind: Kind) -> NDArray[np.uint8] | None:
    """Decodes an image to BGR, or returns None if it cannot be decoded."""
    flags = cv2.IMREAD_COLOR
    if kind != Kind.JPEG:
        # OpenCV also turns PNG and WebP; graphs turn only JPEG.
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # an empty file, or more pixels than OpenCV allows
        return None


def _may_be_unfilled(image: NDArray[np.uint8]) -> bool:
    """Tells whether a JPEG, turned upright, may end in pixels that it does not hold."""
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    return bool(np.isin(corners, UNFILLED).all(axis=1).any())
