"""How long the parts of detection take, measured on some of the images."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.evaluation.predict import Detect, load_image

IMAGES = 20


def measure_speed(
    detect: Detect, files: Mapping[str, Path], config: Config
) -> dict[str, float] | None:
    """Milliseconds an image, one image at a time, by part.

    Args:
        detect: a detector. An exported one is one part; of another, NMS is apart.
        files: images by name, of which some are taken, evenly spread, and each is done twice: the
            first time, TensorFlow prepares for its size.
        config: of the protocol. That of many passes, ms_flip, is not measured: None.
    """
    if config.eval.protocol == "ms_flip":
        return None
    paths = list(files.values())[:: max(1, len(files) // IMAGES)][:IMAGES]
    times = [_time(detect, path, config) for path in paths for _ in range(2)][1::2]
    return {part: float(np.mean([each[part] for each in times])) * 1e3 for part in times[0]}


def _time(detect: Any, path: Path, config: Config) -> dict[str, float]:
    """Seconds by part for one image."""
    clock = [time.perf_counter()]
    image, scale = load_image(tf.constant(str(path)), config.eval)
    clock.append(_when_done(image))
    if hasattr(detect, "candidates"):
        candidates = detect.candidates(image[None], scale)
        clock.append(_when_done(candidates.boxes))
        clock.append(_when_done(detect.suppress(candidates).boxes))
        parts = ["decoding", "network", "NMS"]
    else:
        clock.append(_when_done(detect(image[None], scale).boxes))
        parts = ["decoding", "detector"]
    return dict(zip(parts, np.diff(clock).tolist(), strict=True))


def _when_done(tensor: tf.Tensor) -> float:
    tensor.numpy()  # a device may not have computed yet what it has answered
    return time.perf_counter()
