"""Runs a detector over images by a protocol of WIDER FACE."""

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from retinaface_tf.config import Config, EvalConfig
from retinaface_tf.data.decode import decode_image, why_undecodable
from retinaface_tf.data.scaling import resize, scale_between
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.multi_scale import MultiScaleFlip
from retinaface_tf.evaluation.protocols import OWN_SIZE, network_scale
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.structures import DetectionBatch

# The call that evaluation makes, with images [1, H, W, 3] and their scale, as in Detector.
Detect = Callable[[tf.Tensor, float | tf.Tensor], DetectionBatch]

REPORT_SECONDS = 30  # between progress lines in a log

log = logging.getLogger(__name__)


def predict(
    detect: Detect, files: Mapping[str, Path], config: Config
) -> dict[str, NDArray[np.float64]]:
    """Detects faces in images by the protocol of `config.eval`.

    Args:
        detect: a detector; for protocol all_sizes, one from `load_detector`.
        files: images by name.
        config: protocol and number of workers.

    Returns:
        Name -> detections [N, 5], `x y w h score` in whole pixels of the original image, as
        biubug6's test_widerface.py writes them.

    Raises:
        InputError: a file is not an image; or the protocol is ms_flip and the detector has no
            method `candidates`.
    """
    detect = _by_protocol(detect, config)
    images = tf.data.Dataset.from_tensor_slices([str(path) for path in files.values()]).map(
        lambda path: load_image(path, config.eval),
        num_parallel_calls=config.data.num_workers or tf.data.AUTOTUNE,
    )
    try:
        return {
            name: rows(detect(image[None], scale))
            for name, (image, scale) in zip(_with_progress(files), images.prefetch(2), strict=True)
        }
    except tf.errors.InvalidArgumentError:
        for path in files.values():
            if reason := why_undecodable(str(path)):
                raise InputError(f"{path}: cannot be decoded: {reason}") from None
        raise


def _with_progress(names: Collection[str]) -> Iterator[str]:
    """Yields names and shows how many are done, by a bar on a terminal or lines in a log."""
    if sys.stderr.isatty():
        yield from tqdm(names, desc="detecting", unit="image")
        return
    start = last = time.monotonic()
    for done, name in enumerate(names):
        now = time.monotonic()
        if done and now - last >= REPORT_SECONDS:
            last, left = now, tqdm.format_interval((now - start) / done * (len(names) - done))
            log.info("%d of %d images done, %s left", done, len(names), left)
        yield name


def _by_protocol(detect: Detect, config: Config) -> Detect:
    """Returns the detector that makes the passes of the protocol."""
    if config.eval.protocol == "all_sizes":
        return _all_sizes(cast(Detector, detect))
    if config.eval.protocol == "ms_flip":
        return _multi_scale(detect, config)
    return detect


def _all_sizes(detector: Detector) -> Detect:
    def detect(images: tf.Tensor, scale: float) -> DetectionBatch:
        [faces] = detector.detect_together(np.asarray(images))
        return faces.as_batch()

    return detect


def _multi_scale(detect: Detect, config: Config) -> MultiScaleFlip:
    candidates = getattr(detect, "candidates", None)
    if candidates is None:
        raise InputError(
            "protocol ms_flip: expected a checkpoint or weights, as it merges candidates before "
            "NMS, which an exported model does not return"
        )
    return MultiScaleFlip(candidates, config)


@tf.autograph.experimental.do_not_convert
def load_image(path: tf.Tensor, config: EvalConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads an image at the protocol's size, uint8 [H, W, 3], and its scale.

    The scale is 1 if the image keeps its own size, else the factors for x and y, float32 [2].
    """
    image = decode_image(tf.io.read_file(path))
    if config.protocol in OWN_SIZE:
        return image, tf.constant(1.0)
    height, width = tf.unstack(tf.shape(image)[:2])
    resized = resize(image, network_scale(height, width, config))
    return resized, scale_between(image, resized)


def rows(detections: DetectionBatch) -> NDArray[np.float64]:
    """Converts detections of one image to `x y w h score` [N, 5], with corners truncated."""
    boxes, scores, _, counts = (np.asarray(part)[0] for part in detections)
    corners = np.trunc(boxes[:counts].astype(np.float64))
    scores = scores[:counts, None].astype(np.float64)
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2], scores], axis=1)
