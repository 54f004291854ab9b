"""Resizes images without TensorFlow, bit for bit as in graphs, and maps detections back.

`data.scaling` does the same in graphs.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.structures import MEAN_RGB, Array, DetectionBatch

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def letterbox(image: Pixels, side: int) -> tuple[Pixels, Floats]:
    """Scales an image to fit into a square, and fills the rest.

    The image is at the top left; the rest has the colour that the network subtracts.

    Args:
        image: uint8 [H, W, 3], of at least one pixel.
        side: of the square, in pixels.

    Returns:
        uint8 [side, side, 3], and the scale: pixels of the square per pixel of the image along x
        and y, float32 [2].
    """
    scale = side / max(image.shape[:2])
    height, width = (max(round(length * scale), 1) for length in image.shape[:2])
    factors = np.array([width / image.shape[1], height / image.shape[0]], np.float32)
    return fill(_resize(image, height, width), side), factors


def fill(image: Pixels, side: int) -> Pixels:
    """Pads an image to a square, right and below, with the colour that the network subtracts.

    Args:
        image: uint8 [H, W, 3], H and W at most `side`.
        side: of the square, in pixels.

    Returns:
        uint8 [side, side, 3].
    """
    square = np.tile(np.array(MEAN_RGB, np.uint8), (side, side, 1))
    square[: image.shape[0], : image.shape[1]] = image
    return square


def halve(image: Pixels) -> Pixels:
    """Halves an image uint8 [H, W, 3], H and W rounded up: each pixel is the mean of 2 x 2.

    If the size is odd, the last row or column counts twice.
    """
    height, width = image.shape[:2]
    even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    halved = cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(halved, np.uint8)


def undo_scale(detections: DetectionBatch, scale: float | Array) -> DetectionBatch:
    """Maps detections in resized images to pixels of the images before resizing.

    Args:
        detections: arrays or tensors.
        scale: factor of resizing; or factors for x and y, [2] or, for each image, [B, 2].
    """
    factor = np.ones([1, 2], np.float32) * np.asarray(scale, np.float32)
    return detections._replace(
        boxes=detections.boxes / np.tile(factor, 2)[:, None],
        landmarks=detections.landmarks / factor[:, None, None],
    )


def _resize(image: Pixels, height: int, width: int) -> Pixels:
    """Interpolates bilinearly between the centres of pixels, in float32 as TensorFlow does.

    OpenCV's resize differs by one in a thousandth of the pixels.
    """
    upper, lower, down = _neighbours(image.shape[0], height)
    left, right, across = _neighbours(image.shape[1], width)
    pixels, across, down = image.astype(np.float32), across[:, None], down[:, None, None]
    rows = pixels[:, left] + (pixels[:, right] - pixels[:, left]) * across
    return np.rint(rows[upper] + (rows[lower] - rows[upper]) * down).astype(np.uint8)


def _neighbours(
    length: int, target: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Finds the pixels before and after each of `target` places on an axis, and the weights."""
    step = np.float32(length) / np.float32(target)
    place = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * step - np.float32(0.5)
    before = np.floor(place)
    after = np.minimum(np.ceil(place), length - 1)
    return np.maximum(before, 0).astype(np.intp), after.astype(np.intp), place - before
