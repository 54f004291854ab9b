"""Checks imported weights on two photographs.

Two networks may have tensors of the same names and shapes but different anchors or activations, so
that one finds nothing with the weights of the other. Face-Detector-1MB (github.com/biubug6) is such
a relative of Pytorch_Retinaface.
"""

import logging

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.boxes import iou
from retinaface_tf.geometry.coder import decode_boxes
from retinaface_tf.samples import FACES
from retinaface_tf.structures import Array, Predictions

MIN_SCORE, MIN_IOU = 0.5, 0.4  # of the best anchor's box; IoU with the face

log = logging.getLogger(__name__)


def warn_unless_faces_are_found(network: keras.Model, config: Config, source: str) -> None:
    """Warns if a network finds the face in neither of two photographs.

    Args:
        network: from `build_network`, with the weights.
        config: of the network.
        source: the name of the weights in the warning.
    """
    for file, face in FACES.items():
        box, score = _best_box(network, config, read_image(file))
        overlap = iou(box[None], tf.constant([face], tf.float32))[0, 0]
        if score >= MIN_SCORE and overlap >= MIN_IOU:
            return
    log.warning(
        "%s: finds the face in none of %d photographs, though the names and shapes of its tensors "
        "are those of %s: its anchors, activations or mean colours may differ",
        *(source, len(FACES), config.model.backbone),
    )


def _best_box(network: keras.Model, config: Config, image: Array) -> tuple[tf.Tensor, float]:
    """Returns the box [4], in pixels, of the anchor with the best score, and that score.

    One box needs no NMS, and no graph is traced, which would take longer.
    """
    height, width = image.shape[:2]
    predictions = Predictions(**network(image[None], training=False))
    scores = tf.nn.softmax(tf.cast(predictions.logits[0], tf.float32))[:, 1]
    best = tf.argmax(scores)
    anchors = make_anchors(height, width, config.anchors)
    encoded = tf.cast(predictions.boxes[0, best], tf.float32)
    box = decode_boxes(encoded, anchors[best], config.anchors.variances)
    return box * [width, height, width, height], float(scores[best])
