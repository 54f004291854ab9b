"""Box coder: faces relative to anchors and back, with the variances in one place (REFERENCE 3.3).

`decode(encode(x)) == x` up to rounding, for boxes of positive size.
"""

import tensorflow as tf

Variances = tuple[float, float]


def encode_boxes(boxes: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Encodes `x1 y1 x2 y2` [..., 4] relative to anchors `cx cy w h` [..., 4].

    Boxes without width or height give -inf: drop them before.
    """
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    size = boxes[..., 2:] - boxes[..., :2]
    shift = (centre - anchors[..., :2]) / (variances[0] * anchors[..., 2:])
    scale = tf.math.log(size / anchors[..., 2:]) / variances[1]
    return tf.concat([shift, scale], axis=-1)


def decode_boxes(encoded: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Inverse of encode_boxes: `x1 y1 x2 y2` [..., 4], not clipped to the image."""
    centre = anchors[..., :2] + encoded[..., :2] * variances[0] * anchors[..., 2:]
    size = anchors[..., 2:] * tf.exp(encoded[..., 2:] * variances[1])
    near = centre - size / 2
    return tf.concat([near, near + size], axis=-1)


def encode_landmarks(points: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Encodes points [..., 5, 2] relative to anchors `cx cy w h` [..., 4]."""
    anchors = anchors[..., None, :]
    return (points - anchors[..., :2]) / (variances[0] * anchors[..., 2:])


def decode_landmarks(encoded: tf.Tensor, anchors: tf.Tensor, variances: Variances) -> tf.Tensor:
    """Inverse of encode_landmarks: points [..., 5, 2]."""
    anchors = anchors[..., None, :]
    return anchors[..., :2] + encoded * variances[0] * anchors[..., 2:]
