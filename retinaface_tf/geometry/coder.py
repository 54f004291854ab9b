"""Encodes faces relative to anchors and decodes them; variances apply only here.

`decode(encode(x)) == x` up to rounding, for boxes of positive size. Offsets of centres are divided
by the first variance, logarithms of sizes by the second. Source: SSD (arXiv 1512.02325), section
2.2, and biubug6/Pytorch_Retinaface, utils/box_utils.py.
"""

import tensorflow as tf

Variances = tuple[float, float]


def encode_boxes(boxes: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Encodes `x1 y1 x2 y2` [..., 4] relative to anchors `cx cy w h` [..., 4].

    Boxes without width or height encode to -inf: drop them first.
    """
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    size = boxes[..., 2:] - boxes[..., :2]
    shift = (centre - anchors[..., :2]) / (variances[0] * anchors[..., 2:])
    scale = tf.math.log(size / anchors[..., 2:]) / variances[1]
    return tf.concat([shift, scale], axis=-1)


def decode_boxes(encoded: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Decodes boxes: the inverse of encode_boxes.

    Returns:
        `x1 y1 x2 y2` [..., 4], not clipped to the image.
    """
    centre = anchors[..., :2] + encoded[..., :2] * variances[0] * anchors[..., 2:]
    size = anchors[..., 2:] * tf.exp(encoded[..., 2:] * variances[1])
    corner = centre - size / 2
    return tf.concat([corner, corner + size], axis=-1)


def encode_landmarks(points: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Encodes points [..., 5, 2] relative to anchors `cx cy w h` [..., 4]."""
    # TensorFlow broadcasts an axis in the middle slowly.
    anchors = tf.repeat(anchors[..., None, :], points.shape[-2], axis=-2)
    return (points - anchors[..., :2]) / (variances[0] * anchors[..., 2:])


def decode_landmarks(encoded: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Decodes points [..., 5, 2]: the inverse of encode_landmarks."""
    anchors = anchors[..., None, :]
    return anchors[..., :2] + encoded * variances[0] * anchors[..., 2:]
