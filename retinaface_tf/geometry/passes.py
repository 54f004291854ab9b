"""Plans the passes that find faces of every size, and tells which of their detections to keep.

Anchors reach up to faces of about their own largest size. Larger faces are found where the image is
halved: pass `k` sees the image halved `k` times. InsightFace detects in two passes by default for
the same reason (python-package/insightface/app/face_analysis.py, `det_size` of 640 and 128).

The functions take arrays of NumPy, or of TensorFlow with `tensorflow.experimental.numpy` as `xp`,
so that graphs and runtimes without TensorFlow go by the same rules.
"""

from typing import Any, NamedTuple

import numpy as np

from retinaface_tf.config import Config
from retinaface_tf.structures import Array

# A face is found well up to this multiple of the largest anchor: 640 pixels of 512.
REACH = 1.25
# A face is at most this many times as tall as it is wide, or the reverse.
ELONGATION = 1.5
MOST_HALVINGS = 12


class Plan(NamedTuple):
    """Numbers the passes over an image: `first`, `first + 1` ... `last`."""

    first: Array  # int scalar
    last: Array  # int scalar


def plan_passes(height: Array, width: Array, config: Config, xp: Any = np) -> Plan:
    """Plans the passes over an image of some height and width in pixels.

    The first pass is the coarsest that shows the smallest faces wanted (`detector.min_face`) as
    large as the smallest anchor. The last is the finest that shows the largest faces, as far as
    they fit into the image and are wanted (`detector.max_face`), within the reach of anchors.
    """
    limits = config.detector
    short, long = xp.minimum(height, width), xp.maximum(height, width)
    largest = xp.minimum(long, short * ELONGATION)
    if limits.max_face is not None:
        largest = xp.minimum(largest, limits.max_face)
    halved = 2.0 ** np.arange(MOST_HALVINGS, dtype=np.float32)
    last = xp.sum(largest > reach(config) * halved)
    smallest_anchor = min(min(sizes) for sizes in config.anchors.sizes)
    halvings = int(np.sum(limits.min_face >= 2 * smallest_anchor * halved))
    return Plan(xp.minimum(last, halvings), last)


def reach(config: Config) -> float:
    """Returns the size in pixels up to which a pass finds faces well."""
    return REACH * max(max(sizes) for sizes in config.anchors.sizes)


def select_detections(
    boxes: Array, scores: Array, passes: Array, plan: Plan, config: Config, xp: Any = np
) -> Array:
    """Selects the detections of several passes that are to be believed.

    Args:
        boxes: float32 `x1 y1 x2 y2` [N, 4], in pixels of the image.
        scores: float32 [N].
        passes: int [N], the pass that each detection is from.
        plan: the passes.
        config: sizes of anchors.
        xp: NumPy or `tensorflow.experimental.numpy`.

    Returns:
        bool [N].
    """
    return scores > 0
