"""A detector over the validation images, as the WIDER FACE protocols want it (REFERENCE 8.1)."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from retinaface_tf.config import Config, EvalConfig
from retinaface_tf.data.decode import decode_image, why_undecodable
from retinaface_tf.errors import InputError
from retinaface_tf.structures import Detections

VGA_LONG_SIDE = 640

# What evaluation asks of a detector: images [1, H, W, 3] and their scale, as Detector has it.
Detect = Callable[[tf.Tensor, float], Detections]


def predict(
    detect: Detect, files: Mapping[str, Path], config: Config
) -> dict[str, NDArray[np.float64]]:
    """Detects on images by the protocol of `config.eval`.

    Args:
        detect: a detector.
        files: images by name.
        config: protocol and number of workers.

    Returns:
        By name the detections [N, 5], `x y w h score` in whole pixels of the original image, as
        the tools of the originals write them.

    Raises:
        InputError: a file is no image.
    """
    images = tf.data.Dataset.from_tensor_slices([str(path) for path in files.values()]).map(
        lambda path: _load(path, config.eval), num_parallel_calls=config.data.num_workers
    )
    bar = tqdm(files, desc="detecting", unit="image", disable=not sys.stderr.isatty())
    try:
        return {
            name: _rows(detect(image[None], scale))
            for name, (image, scale) in zip(bar, images.prefetch(2), strict=True)
        }
    except tf.errors.InvalidArgumentError:
        for path in files.values():
            if reason := why_undecodable(str(path)):
                raise InputError(f"{path}: cannot be decoded: {reason}") from None
        raise


def network_scale(height: Any, width: Any, config: EvalConfig) -> Any:
    """Factor by which the protocol resizes an image of that size, float64.

    `resized`: short side to config.short_side, unless that makes the long side longer than
    config.long_side; `vga`: long side to 640; `original`: 1.
    """
    height, width = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
    short, long = tf.minimum(height, width), tf.maximum(height, width)
    if config.protocol == "original":
        return tf.ones_like(short)
    if config.protocol == "vga":
        return VGA_LONG_SIDE / long
    scale = config.short_side / short
    return tf.where(tf.round(scale * long) > config.long_side, config.long_side / long, scale)


def _load(path: tf.Tensor, config: EvalConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """An image at the protocol's size, uint8 [H, W, 3], and its scale."""
    image = decode_image(tf.io.read_file(path))
    size = tf.shape(image)[:2]
    scale = network_scale(size[0], size[1], config)
    if config.protocol != "original":
        target = tf.cast(tf.round(tf.cast(size, tf.float64) * scale), tf.int32)
        image = tf.saturate_cast(tf.round(tf.image.resize(image, target)), tf.uint8)
    return image, tf.cast(scale, tf.float32)


def _rows(detections: Detections) -> NDArray[np.float64]:
    """Detections of one image as `x y w h score` [N, 5], corners cut to whole pixels."""
    count = int(detections.num_detections[0])
    corners = np.trunc(np.asarray(detections.boxes[0, :count], np.float64))
    scores = np.asarray(detections.scores[0, :count], np.float64)[:, None]
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2], scores], axis=1)
