"""Targets: what each anchor of a batch should say, made on the device."""

import tensorflow as tf

from retinaface_tf.config import AnchorConfig, MatchConfig
from retinaface_tf.geometry.boxes import to_corners
from retinaface_tf.geometry.coder import encode_boxes, encode_landmarks
from retinaface_tf.geometry.matcher import match
from retinaface_tf.structures import Faces, Targets


def make_targets(
    faces: Faces, anchors: tf.Tensor, anchor_config: AnchorConfig, match_config: MatchConfig
) -> Targets:
    """Matches and encodes the faces [B, G] of a batch for anchors `cx cy w h` [A, 4].

    Image by image, since images differ widely in faces: padding them to the largest would make
    the matcher compare mostly padding, and would need memory for all images at once.
    """
    corners, num_anchors = to_corners(anchors), anchors.shape[0]
    variances = anchor_config.variances

    def one_image(image: Faces) -> Targets:
        boxes, landmarks, has_landmarks = (
            tf.boolean_mask(part, image.valid)
            for part in (image.boxes, image.landmarks, image.has_landmarks)
        )
        matched = match(boxes, corners, match_config)
        # Encoding is for the few that answer for a face; the rest stays 0.
        rows = tf.where(matched.is_face)
        face, anchor = tf.gather_nd(matched.face, rows), tf.gather_nd(anchors, rows)
        encoded_boxes = encode_boxes(tf.gather(boxes, face), anchor, variances)
        encoded_landmarks = encode_landmarks(tf.gather(landmarks, face), anchor, variances)
        # A row more, so that in an image without faces there is something to point at.
        has_landmarks = tf.gather(tf.pad(has_landmarks, [[0, 1]]), matched.face)
        return Targets(
            boxes=tf.scatter_nd(rows, encoded_boxes, [num_anchors, 4]),
            landmarks=tf.scatter_nd(rows, encoded_landmarks, [num_anchors, 5, 2]),
            is_face=matched.is_face,
            has_landmarks=matched.is_face & has_landmarks,
        )

    signature = Targets(
        boxes=tf.TensorSpec([num_anchors, 4], tf.float32),
        landmarks=tf.TensorSpec([num_anchors, 5, 2], tf.float32),
        is_face=tf.TensorSpec([num_anchors], tf.bool),
        has_landmarks=tf.TensorSpec([num_anchors], tf.bool),
    )
    return tf.map_fn(one_image, faces, fn_output_signature=signature, parallel_iterations=2)
