"""Targets: what each anchor of a batch is trained towards, made on the device."""

import tensorflow as tf

from retinaface_tf.config import AnchorConfig, MatchConfig
from retinaface_tf.geometry.boxes import to_corners
from retinaface_tf.geometry.coder import Variances, encode_boxes, encode_landmarks
from retinaface_tf.geometry.matcher import Match, match
from retinaface_tf.structures import Faces, Targets


def make_targets(
    faces: Faces, anchors: tf.Tensor, anchor_config: AnchorConfig, match_config: MatchConfig
) -> Targets:
    """Matches and encodes the faces [B, G] of a batch for anchors `cx cy w h` [A, 4].

    Image by image, since images differ widely in their number of faces: with all images padded to
    the largest, the matcher would compare mostly padding, and need memory for all of them at once.
    """
    corners, num_anchors = to_corners(anchors), anchors.shape[0]

    def make_one(image: Faces) -> Targets:
        valid = _without_padding(image)
        matched = match(valid.boxes, corners, match_config)
        return _encode(valid, matched, anchors, anchor_config.variances)

    signature = Targets(
        boxes=tf.TensorSpec([num_anchors, 4], tf.float32),
        landmarks=tf.TensorSpec([num_anchors, 5, 2], tf.float32),
        is_face=tf.TensorSpec([num_anchors], tf.bool),
        has_landmarks=tf.TensorSpec([num_anchors], tf.bool),
    )
    return tf.map_fn(make_one, faces, fn_output_signature=signature, parallel_iterations=2)


def _without_padding(image: Faces) -> Faces:
    """Keeps the valid faces of one image."""
    return Faces(*(tf.boolean_mask(field, image.valid) for field in image))


def _encode(faces: Faces, matched: Match, anchors: tf.Tensor, variances: Variances) -> Targets:
    """Encodes the matched faces of one image for their anchors [A, 4]."""
    num_anchors = anchors.shape[0]
    # Only the few anchors with a face are encoded; the others stay 0.
    rows = tf.where(matched.is_face)
    face, anchor = tf.gather_nd(matched.face, rows), tf.gather_nd(anchors, rows)
    boxes = encode_boxes(tf.gather(faces.boxes, face), anchor, variances)
    landmarks = encode_landmarks(tf.gather(faces.landmarks, face), anchor, variances)
    # One row more, so that the numbers in `matched.face` exist in an image without faces too.
    has_landmarks = tf.gather(tf.pad(faces.has_landmarks, [[0, 1]]), matched.face)
    return Targets(
        boxes=tf.scatter_nd(rows, boxes, [num_anchors, 4]),
        landmarks=tf.scatter_nd(rows, landmarks, [num_anchors, 5, 2]),
        is_face=matched.is_face,
        has_landmarks=matched.is_face & has_landmarks,
    )
