"""Corners, areas and overlaps of boxes."""

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

    One axis at a time: an [N, M, 2] intermediate would double the memory of matching.
    """

    def overlap(low: int, high: int) -> tf.Tensor:
        end = tf.minimum(boxes[:, None, high], others[None, :, high])
        start = tf.maximum(boxes[:, None, low], others[None, :, low])
        return tf.nn.relu(end - start)

    return overlap(0, 2) * overlap(1, 3)


def iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the intersection over union [N, M] of `x1 y1 x2 y2` [N, 4] and [M, 4].

    It is 0 for two empty boxes.
    """
    shared = intersection(boxes, others)
    union = area(boxes)[:, None] + area(others)[None, :] - shared
    return tf.math.divide_no_nan(shared, union)


def is_inside(points: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Tells which points `x y` [N, 2] lie in a box `x1 y1 x2 y2` [4].

    Returns:
        bool [N]: x1 <= x < x2 and y1 <= y < y2.
    """
    return tf.reduce_all((points >= box[:2]) & (points < box[2:]), axis=1)
