"""Decodes image files without TensorFlow: upright RGB pixels, as `data.decode` has them in graphs.

For pictures, reports and models of other runtimes. Pixels equal those of the graph byte for byte,
for JPEG, PNG, BMP, WebP and GIF, with these exceptions:

- CMYK JPEGs: at most 2 of 255 less, since OpenCV divides by 256 where TensorFlow divides by 255.
- CMYK JPEGs without Adobe's segment: their values are taken for inverted ones, as Pillow takes
  them; TensorFlow takes them as they are, and shows the negative of that.
- BMPs with a palette: the colours of the palette; TensorFlow returns the indices as grey.
- GIFs whose first frame does not fill the canvas: the whole canvas; TensorFlow returns the frame.
- WebP with transparency or animation, TIFF and other kinds: TensorFlow refuses them.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError

JPEG_START = b"\xff\xd8\xff"


def read_image(file: Path) -> NDArray[np.uint8]:
    """Reads and decodes an image file.

    Returns:
        uint8 [H, W, 3], RGB, turned upright by the EXIF orientation of a JPEG.

    Raises:
        InputError: the file cannot be read or is no whole image; the message begins with its name.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    return decode_bytes(data, str(file))


def decode_bytes(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decodes the bytes of an image file; of an animation, the first frame.

    Args:
        data: the content of the file.
        name: what to call the file in the message of an error.

    Returns:
        uint8 [H, W, 3], RGB, turned upright by the EXIF orientation of a JPEG.

    Raises:
        InputError: no image, or one that is cut short; the message begins with `name`.
    """
    flags = cv2.IMREAD_COLOR
    if not data.startswith(JPEG_START):
        # OpenCV turns PNG and WebP, too; graphs turn JPEG alone.
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # no bytes, or more pixels than OpenCV allows
        image = None
    if image is None:
        raise InputError(f"{name}: not an image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
