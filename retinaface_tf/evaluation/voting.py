"""Merges the detections of many passes by box voting (NumPy only)."""

import math

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]


def vote(boxes: Rows, scores: Rows, landmarks: Rows, iou: float) -> tuple[Rows, Rows, Rows]:
    """Merges detections by greedy voting, without the original's limit of 750 boxes.

    The box with the highest score and all boxes that overlap it by at least `iou` form a cluster.
    This is repeated with the remaining boxes until none are left. Each cluster becomes one
    detection: the mean of its boxes and landmarks, weighted by score, with its highest score. A
    cluster of a single box is dropped, as no other pass confirms it, unless it is the last one, as
    in the original.

    Source: `bbox_vote` of deepinsight/insightface, detection/retinaface/retinaface.py.

    Args:
        boxes: x1 y1 x2 y2 [N, 4] in pixels, the first and last pixel included.
        scores: above 0 [N].
        landmarks: [N, 5, 2].
        iou: smallest overlap of a box with the first of its cluster, in inclusive pixels.

    Returns:
        Boxes, scores and landmarks of the clusters, highest score first.
    """
    order = np.argsort(-scores, kind="stable")
    rows = np.concatenate([boxes, landmarks.reshape(-1, 10)], axis=1)[order]
    scores = scores[order]
    clusters = _clusters(rows[:, :4], iou)
    means = [np.average(rows[each], axis=0, weights=scores[each]) for each in clusters]
    voted = np.array(means, rows.dtype).reshape(-1, 14)
    highest = scores[[each[0] for each in clusters]] if clusters else scores[:0]
    return voted[:, :4], highest, voted[:, 4:].reshape(-1, 5, 2)


def _clusters(boxes: Rows, iou: float) -> list[NDArray[np.intp]]:
    """Lists the positions of each cluster in boxes [N, 4], which are in the order of scores."""
    corners = boxes + np.array([0, 0, 1, 1], boxes.dtype)
    from_left = np.argsort(corners[:, 0], kind="stable")
    starts = corners[from_left, 0]
    left, count, found = np.ones(len(boxes), bool), len(boxes), []
    for first, corner in enumerate(corners):
        if not left[first]:
            continue
        candidates = from_left[slice(*np.searchsorted(starts, _reach(corner, iou)))]
        candidates = candidates[left[candidates]]
        cluster = np.sort(candidates[overlap(corner, corners[candidates]) >= iou])
        cluster = cluster if len(cluster) else np.array([first])  # a NaN box overlaps nothing
        left[cluster] = False
        count -= len(cluster)
        if len(cluster) > 1 or not count:
            found.append(cluster)
    return found


def _reach(box: Rows, iou: float) -> tuple[float, float]:
    """Bounds the left edge of boxes that overlap `box` by `iou`, with a pixel for rounding.

    Two such boxes share at least the fraction `iou` of either width.
    """
    if iou == 0:  # separate boxes have this overlap, too
        return -math.inf, math.inf
    width, rest = box[2] - box[0], 1 - iou
    return box[0] - width * rest / iou - 1, box[0] + width * rest + 1


def overlap(box: Rows, others: Rows) -> Rows:
    """Computes the IoU [N] of a box [4] with others [N, 4], whose x2 y2 are past the last pixel."""
    x1, y1, x2, y2 = others.T
    width = np.minimum(x2, box[2]) - np.maximum(x1, box[0])
    height = np.minimum(y2, box[3]) - np.maximum(y1, box[1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = (box[2] - box[0]) * (box[3] - box[1])
    return shared / ((x2 - x1) * (y2 - y1) + area - shared)
