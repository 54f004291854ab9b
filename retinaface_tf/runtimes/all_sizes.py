"""Finds faces of every size by several passes, with any detector; imports no TensorFlow.

`model.all_sizes` does the same in a graph, for SavedModels.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.config import Config, DetectorConfig
from retinaface_tf.data.scaling_host import halve
from retinaface_tf.detections import Detections
from retinaface_tf.geometry.passes import Plan, select_detections
from retinaface_tf.runtimes.heads import suppress

Pixels = NDArray[np.uint8]
# Detects faces in images [B, H, W, 3] in one pass, in pixels of the images.
OnePass = Callable[[Pixels], list[Detections]]


def detect_all_sizes(
    one_pass: OnePass,
    images: Pixels,
    plan: Plan,
    config: Config,
    limits: DetectorConfig,
    *,
    at_once: bool = False,
) -> list[Detections]:
    """Detects faces of every size.

    Args:
        one_pass: detects in one pass.
        images: uint8 [B, H, W, 3], RGB, upright.
        plan: the passes over images of this size.
        config: sizes of anchors.
        limits: IoU of NMS and number of detections after merging.
        at_once: makes all passes at the same time, each in a thread, over images that need no
            tiles.

    Returns:
        The faces of each image, in pixels of the image.
    """
    pyramid = [images]
    for _ in range(plan.last):
        pyramid.append(np.stack([halve(image) for image in pyramid[-1]]))
    pyramid = pyramid[plan.first :]
    if at_once and len(pyramid) > 1 and np.prod(images.shape[1:3]) <= limits.max_pixels:
        with ThreadPoolExecutor(len(pyramid)) as threads:
            found = [*threads.map(one_pass, pyramid)]
    else:
        found = [*map(one_pass, pyramid)]
    passes = [
        [faces.scaled(2**level) for faces in each] for level, each in enumerate(found, plan.first)
    ]
    return [merge_passes(found, plan, config, limits) for found in zip(*passes, strict=True)]


def merge_passes(
    passes: Sequence[Detections], plan: Plan, config: Config, limits: DetectorConfig
) -> Detections:
    """Merges the detections of an image, all in pixels of the image.

    Args:
        passes: detections by pass, the first pass first.
        plan: the passes.
        config: sizes of anchors.
        limits: IoU of NMS and number of detections.
    """
    if len(passes) == 1:
        return passes[0]
    boxes, scores, landmarks = (
        np.concatenate(rows)
        for rows in zip(*((p.boxes, p.scores, p.landmarks) for p in passes), strict=True)
    )
    numbers = [np.full(len(found), plan.first + i) for i, found in enumerate(passes)]
    kept = np.flatnonzero(select_detections(boxes, scores, np.concatenate(numbers), plan, config))
    kept = kept[suppress(boxes[kept], scores[kept], limits)][: limits.max_detections]
    return Detections(boxes[kept], scores[kept], landmarks[kept])
