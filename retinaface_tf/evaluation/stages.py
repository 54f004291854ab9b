"""Times the stages of detection on some of the images."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.evaluation.predict import Detect, load_image
from retinaface_tf.structures import Array

IMAGES = 20


def time_stages(
    detect: Detect, files: Mapping[str, Path], config: Config
) -> dict[str, float] | None:
    """Times detection, one image after the other.

    Args:
        detect: a detector. An exported one is a single stage; otherwise NMS is timed separately.
        files: images by name. A sample of IMAGES, evenly spread, is detected twice each, as
            TensorFlow has to prepare for each new size.
        config: of the protocol.

    Returns:
        Stage -> milliseconds per image; None for ms_flip and all_sizes, which make many passes.
    """
    if config.eval.protocol in ("ms_flip", "all_sizes"):
        return None
    paths = list(files.values())[:: max(1, len(files) // IMAGES)][:IMAGES]
    times = [_time(detect, path, config) for path in paths for _ in range(2)][1::2]
    return {stage: float(np.mean([each[stage] for each in times])) * 1e3 for stage in times[0]}


def _time(detect: Any, path: Path, config: Config) -> dict[str, float]:
    """Measures the seconds of each stage for one image."""
    clock = [time.perf_counter()]
    image, scale = load_image(tf.constant(str(path)), config.eval)
    clock.append(_when_done(image))
    if hasattr(detect, "candidates"):
        candidates = detect.candidates(image[None], scale)
        clock.append(_when_done(candidates.boxes))
        clock.append(_when_done(detect.suppress(candidates).boxes))
        stages = ["decoding", "network", "NMS"]
    else:
        clock.append(_when_done(detect(image[None], scale).boxes))
        stages = ["decoding", "detector"]
    return dict(zip(stages, np.diff(clock).tolist(), strict=True))


def _when_done(tensor: Array) -> float:
    np.asarray(tensor)  # waits for the device, as calls may return before it is done
    return time.perf_counter()
