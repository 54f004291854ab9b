"""Box voting: detections of one face by many passes become one, their mean (NumPy only)."""

import math

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]


def vote(boxes: Rows, scores: Rows, landmarks: Rows, iou: float) -> tuple[Rows, Rows, Rows]:
    """Greedy voting, as insightface's `bbox_vote`, but without its limit of 750 boxes.

    The best box and all that overlap it by `iou` or more are a cluster; so are the best of what
    is left and those that overlap it, until nothing is left. Of a cluster come the mean of its
    boxes and landmarks, weighted by scores, and its best score. A cluster of one box is dropped,
    as no other pass confirms it; the very last may be one, in the original too.

    Args:
        boxes: x1 y1 x2 y2 [N, 4] in pixels, counted from the first to the last, both included.
        scores: above 0 [N].
        landmarks: [N, 5, 2].
        iou: of inclusive pixels.

    Returns:
        Boxes, scores and landmarks of the clusters, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    rows = np.concatenate([boxes, landmarks.reshape(-1, 10)], axis=1)[order]
    scores = scores[order]
    clusters = _clusters(rows[:, :4], iou)
    means = [np.average(rows[each], axis=0, weights=scores[each]) for each in clusters]
    voted = np.array(means, rows.dtype).reshape(-1, 14)
    best = scores[[each[0] for each in clusters]] if clusters else scores[:0]
    return voted[:, :4], best, voted[:, 4:].reshape(-1, 5, 2)


def _clusters(boxes: Rows, iou: float) -> list[NDArray[np.intp]]:
    """Places of the boxes of each cluster, for boxes [N, 4] in the order of their scores."""
    corners = boxes + np.array([0, 0, 1, 1], boxes.dtype)
    from_left = np.argsort(corners[:, 0], kind="stable")
    starts = corners[from_left, 0]
    left, count, found = np.ones(len(boxes), bool), len(boxes), []
    for best, corner in enumerate(corners):
        if not left[best]:
            continue
        near = from_left[slice(*np.searchsorted(starts, _reach(corner, iou)))]
        near = near[left[near]]
        cluster = np.sort(near[overlap(corner, corners[near]) >= iou])
        cluster = cluster if len(cluster) else np.array([best])  # of a box that is none, but NaN
        left[cluster] = False
        count -= len(cluster)
        if len(cluster) > 1 or not count:
            found.append(cluster)
    return found


def _reach(box: Rows, iou: float) -> tuple[float, float]:
    """Between which x, and a pixel for rounding, a box starts that overlaps this one by `iou`.

    It shares `iou` of this one's width, and this one at least so much of its own.
    """
    if iou == 0:  # which boxes that do not meet have too
        return -math.inf, math.inf
    width, rest = box[2] - box[0], 1 - iou
    return box[0] - width * rest / iou - 1, box[0] + width * rest + 1


def overlap(box: Rows, others: Rows) -> Rows:
    """IoU [N] of a box [4] with others [N, 4], whose far edges are just past the last pixels."""
    x1, y1, x2, y2 = others.T
    width = np.minimum(x2, box[2]) - np.maximum(x1, box[0])
    height = np.minimum(y2, box[3]) - np.maximum(y1, box[1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = (box[2] - box[0]) * (box[3] - box[1])
    return shared / ((x2 - x1) * (y2 - y1) + area - shared)
