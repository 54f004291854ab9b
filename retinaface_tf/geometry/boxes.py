"""Computes corners, areas and overlaps of boxes."""

import tensorflow as tf


def to_corners(boxes: tf.Tensor) -> tf.Tensor:
    """Turns `cx cy w h` [..., 4] into `x1 y1 x2 y2` [..., 4]."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return tf.concat([centre - size / 2, centre + size / 2], axis=-1)


def area(boxes: tf.Tensor) -> tf.Tensor:
    """Returns the area [...] of `x1 y1 x2 y2` [..., 4], without the +1 of inclusive pixels."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def intersection(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the shared area [N, M] of `x1 y1 x2 y2` [N, 4] and [M, 4].

    It takes one axis at a time: an [N, M, 2] intermediate would double the memory of matching.
    """
    return _shared_area(_columns(boxes), tf.unstack(others, 4, axis=1))


def iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the intersection over union [N, M] of `x1 y1 x2 y2` [N, 4] and [M, 4].

    It is 0 for two empty boxes.
    """
    ours, theirs = _columns(boxes), tf.unstack(others, 4, axis=1)
    shared = _shared_area(ours, theirs)
    union = _area(ours) + _area(theirs) - shared
    return tf.math.divide_no_nan(shared, union)


def centres_of(boxes: tf.Tensor) -> tf.Tensor:
    """Returns the centres `x y` [..., 2] of `x1 y1 x2 y2` [..., 4]."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def paired_iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the intersection over union [...] of pairs of `x1 y1 x2 y2` [..., 4].

    It is 0 for two empty boxes.
    """
    ours, theirs = tf.unstack(boxes, 4, axis=-1), tf.unstack(others, 4, axis=-1)
    shared = _shared_area(ours, theirs)
    return tf.math.divide_no_nan(shared, _area(ours) + _area(theirs) - shared)


def _columns(boxes: tf.Tensor) -> list[tf.Tensor]:
    """Returns the four coordinates of boxes [N, 4], each [N, 1]."""
    return tf.split(boxes, 4, axis=1)


def _area(corners: list[tf.Tensor]) -> tf.Tensor:
    x1, y1, x2, y2 = corners
    return (x2 - x1) * (y2 - y1)


def _shared_area(ours: list[tf.Tensor], theirs: list[tf.Tensor]) -> tf.Tensor:
    """Returns the shared area of coordinates that broadcast, such as [N, 1] and [M]: [N, M]."""

    def overlap(low: int, high: int) -> tf.Tensor:
        end = tf.minimum(ours[high], theirs[high])
        start = tf.maximum(ours[low], theirs[low])
        return tf.nn.relu(end - start)

    return overlap(0, 2) * overlap(1, 3)


def is_inside(points: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Tells which points `x y` [N, 2] lie in a box `x1 y1 x2 y2` [4].

    Returns:
        bool [N]: x1 <= x < x2 and y1 <= y < y2.
    """
    return tf.reduce_all((points >= box[:2]) & (points < box[2:]), axis=1)
