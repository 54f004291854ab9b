"""Makes the targets of a batch, one for each anchor, on the device."""

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.atss import match_atss
from retinaface_tf.geometry.boxes import to_corners
from retinaface_tf.geometry.coder import Variances, encode_boxes, encode_landmarks
from retinaface_tf.geometry.flat_faces import FlatFaces, flatten
from retinaface_tf.geometry.matcher import Match, match
from retinaface_tf.geometry.selection import select_rows
from retinaface_tf.structures import Faces, Targets

# To add a matcher, add an entry here and its name to the config's choices.
MATCHERS = {"iou": match, "atss": match_atss}


def make_targets(
    faces: Faces, anchors: tf.Tensor, shape: tuple[int, int], config: Config
) -> Targets:
    """Matches and encodes the faces of a batch, all images at once.

    Args:
        faces: [B, G], in fractions of the images.
        anchors: `cx cy w h` [A, 4], from `make_anchors`; targets have the same precision.
        shape: height and width in pixels of the images that the anchors are for.
        config: settings of anchors and matching.
    """
    flat = flatten(faces, anchors.dtype)
    num_images = faces.valid.shape[0] or tf.shape(faces.valid)[0]
    levels = config.anchors.levels(*shape)
    matched = MATCHERS[config.match.method](
        flat, num_images, to_corners(anchors), levels, config.match
    )
    return _encode(flat, matched, anchors, config.anchors.variances)


def _encode(faces: FlatFaces, matched: Match, anchors: tf.Tensor, variances: Variances) -> Targets:
    """Encodes the face of each anchor; boxes of anchors without a face are set to 0 afterwards."""
    boxes = encode_boxes(tf.gather(faces.boxes, matched.face), anchors, variances)
    landmarks = encode_landmarks(tf.gather(faces.landmarks, matched.face), anchors, variances)
    return Targets(
        boxes=select_rows(matched.is_face, boxes),
        landmarks=select_rows(matched.is_face, landmarks),
        is_face=matched.is_face,
        has_landmarks=matched.is_face & tf.gather(faces.has_landmarks, matched.face),
    )
