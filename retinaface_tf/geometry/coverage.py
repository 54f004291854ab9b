"""Whether anchors can answer for faces at all, whatever a network learns."""

import tensorflow as tf

from retinaface_tf.geometry.boxes import iou
from retinaface_tf.geometry.matcher import FACES_PER_BLOCK


def best_overlaps(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """The highest IoU of each face with any anchor; 0 for a box without area.

    Args:
        boxes: faces of any images, float32 [N, 4], `x1 y1 x2 y2`.
        anchors: float32 [A, 4], `x1 y1 x2 y2` in the same unit.

    Returns:
        float32 [N].
    """
    blocks = [
        tf.reduce_max(iou(boxes[start : start + FACES_PER_BLOCK], anchors), axis=1)
        for start in range(0, len(boxes), FACES_PER_BLOCK)
    ]
    return tf.concat([tf.zeros([0]), *blocks], axis=0)
