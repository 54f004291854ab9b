"""Plans the passes that find faces of every size, and selects the detections to believe.

Faces much larger than the largest anchor are missed. They are found when the image is halved: pass
`k` sees the image halved `k` times. InsightFace's FaceAnalysis makes two passes by default for the
same reason.

The functions take NumPy arrays, or tensors with `tensorflow.experimental.numpy` as `xp`, so that
graphs and runtimes without TensorFlow follow the same rules. The figures were chosen by the AP of
WIDER FACE images enlarged once, twice and four times: docs/about/experiments.md.
"""

from typing import Any, NamedTuple

import numpy as np

from retinaface_tf.config import Config
from retinaface_tf.structures import Array

# Multiples of the largest anchor.
REACH = 1.25  # the largest face that the last pass is planned for: 640 pixels for an anchor of 512
BELIEVED = 0.875  # the largest face for which a pass is believed if a coarser one follows
# Multiples of the smallest anchor.
VISIBLE = 1.5  # the smallest face for which a pass is believed if a finer one came before
CLEAR = 6  # a face that the next pass must find too, where it is half as large

ELONGATION = 1.5  # a face is at most this many times as tall as it is wide, or the reverse
SAME_FACE = 0.5  # lowest IoU of two boxes of one face
CONFIRMED = 0.1  # lowest score that the next pass must give the face
SURE = 0.5  # lowest score of a face whose fragments are dropped
INSIDE = 0.6  # lowest part of a fragment that lies in the face
MOST_HALVINGS = 12


class Plan(NamedTuple):
    """Numbers the passes over an image: `first`, `first + 1` ... `last`."""

    first: Array  # int scalar
    last: Array  # int scalar

    def __str__(self) -> str:
        """Names the passes by their sizes: `1, 1/2, 1/4`."""
        return ", ".join(f"1/{2**k}" if k else "1" for k in range(self.first, self.last + 1))


def plan_passes(
    height: Array, width: Array, config: Config, *, scale: float = 1.0, xp: Any = np
) -> Plan:
    """Plans the passes over an image.

    The last pass is the finest in which anchors reach the largest faces: `detector.max_face`, or
    the largest that fit into the image. The first is the coarsest in which the smallest faces
    (`detector.min_face`) are at least as large as the smallest anchor.

    Args:
        height: of the image in pixels; float32 if it is a tensor.
        width: of the image in pixels; float32 if it is a tensor.
        config: sizes of anchors and of the faces to look for.
        scale: pixels that pass 0 sees per pixel of the image.
        xp: NumPy or `tensorflow.experimental.numpy`.
    """
    smallest, largest_anchor = _anchor_range(config)
    largest = xp.minimum(xp.maximum(height, width), ELONGATION * xp.minimum(height, width))
    largest = xp.minimum(largest, np.float32(config.detector.max_face or np.inf))
    halved = 2 ** np.arange(MOST_HALVINGS, dtype=np.float32)
    last = xp.sum(largest * scale > REACH * largest_anchor * halved)
    first = np.sum(config.detector.min_face * scale >= 2 * smallest * halved)
    return Plan(xp.minimum(last, first), last)


def select_detections(
    boxes: Array, scores: Array, passes: Array, plan: Plan, config: Config, *, xp: Any = np
) -> Array:
    """Selects which detections of all passes to believe.

    A detection is believed if its pass shows faces of its size well: at most BELIEVED times the
    largest anchor if a coarser pass follows, and at least VISIBLE times the smallest anchor if a
    finer pass came before. From CLEAR times the smallest anchor on, a detection must be CONFIRMED
    by the next pass. A detection that lies in a SURE face of a coarser pass, too large for its own
    pass, is dropped as a fragment of that face. Believed detections that overlap are left to NMS,
    which keeps the best score, or of equal scores that of the finer pass.

    Args:
        boxes: float32 `x1 y1 x2 y2` [N, 4], in pixels of the image, by pass, finest first.
        scores: float32 [N].
        passes: int [N], the pass that each detection is from.
        plan: the passes.
        config: sizes of anchors.
        xp: NumPy or `tensorflow.experimental.numpy`.

    Returns:
        bool [N].
    """
    smallest, largest = _anchor_range(config)
    halved = xp.exp2(xp.asarray(passes, dtype=np.float32))
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    sizes = xp.sqrt(xp.maximum(areas, np.float32(0)))
    seen, believed = sizes / halved, BELIEVED * largest
    fits = (seen <= believed) | (passes == plan.last)
    fits &= (seen >= VISIBLE * smallest) | (passes == plan.first)

    coarser = xp.nonzero(fits & (passes > plan.first))[0]
    others, other_passes, other_areas, other_scores, other_sizes = (
        xp.take(rows, coarser, axis=0) for rows in (boxes, passes, areas, scores, sizes)
    )
    shared = _intersection(boxes, others, xp)
    same = shared >= SAME_FACE * (areas[:, None] + other_areas - shared)
    confirming = (other_scores >= CONFIRMED) & (passes[:, None] + 1 == other_passes)
    confirmed = xp.any(same & confirming, axis=1)
    faces = (other_scores >= SURE) & (other_sizes > believed * halved[:, None])
    faces &= passes[:, None] < other_passes
    is_fragment = xp.any(faces & (shared >= INSIDE * areas[:, None]), axis=1)

    unclear = (seen < CLEAR * smallest) | (passes == plan.last)
    return fits & (unclear | confirmed) & ~is_fragment


def _intersection(boxes: Array, others: Array, xp: Any) -> Array:
    """Returns the shared areas [N, M] of boxes [N, 4] and [M, 4]."""
    near = xp.maximum(boxes[:, None, :2], others[:, :2])
    sides = xp.maximum(xp.minimum(boxes[:, None, 2:], others[:, 2:]) - near, np.float32(0))
    return sides[..., 0] * sides[..., 1]


def _anchor_range(config: Config) -> tuple[float, float]:
    """Returns the smallest and the largest anchor, in pixels."""
    sizes = [size for level in config.anchors.sizes for size in level]
    return min(sizes), max(sizes)
