"""Matches faces by ATSS, where the IoU threshold follows from the anchors near a face.

The candidates of a face are the anchors of the nearest cells on each level. A candidate is positive
if its IoU reaches the mean IoU of all candidates plus their standard deviation, and if its centre
lies inside the face. An anchor that is positive for several faces takes the face that it overlaps
most; ties go to the first.

Source: Zhang et al. 2020 (arXiv 1912.02424), algorithm 1, with one difference: the candidate with
the highest IoU is positive wherever its centre lies, as a face smaller than a cell may hold none.
"""

import tensorflow as tf

from retinaface_tf.config import Levels, MatchConfig
from retinaface_tf.geometry.boxes import centres_of, paired_iou
from retinaface_tf.geometry.flat_faces import FlatFaces
from retinaface_tf.geometry.matcher import (
    NO_FACE,
    NO_IOU,
    Match,
    RunningMatch,
    find_best,
    match_blocks,
)


def match_atss(
    faces: FlatFaces,
    num_images: int | tf.Tensor,
    anchors: tf.Tensor,
    levels: Levels,
    config: MatchConfig,
) -> Match:
    """Matches the faces of a batch by ATSS.

    Args:
        faces: of all images.
        num_images: B.
        anchors: float [A, 4], `x1 y1 x2 y2` in the unit and precision of the faces.
        levels: of the anchors.
        config: the number of candidates.
    """
    num_anchors = anchors.shape[0]

    def match_block(boxes: tf.Tensor, image: tf.Tensor, number: tf.Tensor) -> RunningMatch:
        nearest = _nearest_anchors(boxes, anchors, levels, config.candidates)
        overlap = _positive_overlaps(boxes, tf.gather(anchors, nearest))
        places = tf.reshape(image[:, None] * num_anchors + nearest, [-1])
        numbers = tf.repeat(number, nearest.shape[1])
        shape = [num_images + 1, num_anchors]
        found = find_best(tf.reshape(overlap, [-1]), numbers, places, shape[0] * shape[1])
        best_iou, best_face = (tf.reshape(part, shape) for part in found)
        return RunningMatch(best_iou, best_face, tf.fill(shape, NO_FACE))

    found = match_blocks(faces, num_images, anchors, match_block)
    return Match(tf.cast(found.best_face[:-1], tf.int64), found.best_iou[:-1] > 0)


def _nearest_anchors(boxes: tf.Tensor, anchors: tf.Tensor, levels: Levels, cells: int) -> tf.Tensor:
    """Finds the anchors of the nearest `cells` of each level.

    Args:
        boxes: faces [F, 4].
        anchors: [A, 4].
        levels: of the anchors.
        cells: how many of each level, or all if it has fewer.

    Returns:
        Numbers of anchors, int64 [F, K], the nearest of each level first.
    """
    nearest, first = [], 0
    for count, sizes in levels:
        centres = centres_of(anchors[first : first + count * sizes : sizes])
        found = tf.math.top_k(-_squared_distance(centres_of(boxes), centres), min(cells, count))
        numbers = first + tf.cast(found.indices, tf.int64) * sizes
        nearest += [numbers + size for size in range(sizes)]
        first += count * sizes
    return tf.concat(nearest, axis=1)


def _squared_distance(points: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the squared distance [N, M] of `x y` [N, 2] and [M, 2]."""
    across, down = (points[:, axis, None] - others[None, :, axis] for axis in (0, 1))
    return across * across + down * down


def _positive_overlaps(boxes: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Returns IoU [F, K] of faces [F, 4] and candidates [F, K, 4]; NO_IOU where negative."""
    boxes = boxes[:, None]
    overlap = paired_iou(boxes, candidates)
    mean = tf.reduce_mean(overlap, axis=1, keepdims=True)
    threshold = mean + tf.math.reduce_std(overlap, axis=1, keepdims=True)
    centres = centres_of(candidates)
    is_inside = tf.reduce_all((centres > boxes[..., :2]) & (centres < boxes[..., 2:]), axis=-1)
    is_highest = overlap == tf.reduce_max(overlap, axis=1, keepdims=True)
    is_positive = ((overlap >= threshold) & is_inside | is_highest) & (overlap > 0)
    return tf.where(is_positive, overlap, tf.constant(NO_IOU, overlap.dtype))
