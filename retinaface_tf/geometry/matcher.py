"""Matcher: which anchor answers for which face (REFERENCE 3.2, without the stealing).

An anchor takes the face that it overlaps most, if that is at least `iou`. Besides, every face
claims its best anchor, if that overlap is at least `min_best_iou`, whatever other face the anchor
would take; of several claims on one anchor the last face's holds. The originals let a face below
`min_best_iou` claim too, which trained anchors to regress hopeless faces; here it cannot.
Ties go to the first.
"""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import MatchConfig
from retinaface_tf.geometry.boxes import iou

# Faces compared with all anchors at a time. 2,000 faces against 29,126 anchors would be 233 MB
# for each intermediate; 64 are 7 MB, and a usual image is one block all the same.
FACES_PER_BLOCK = 64


class Match(NamedTuple):
    face: tf.Tensor  # int32 [A], the face of each anchor; meaningless where is_face is False
    is_face: tf.Tensor  # bool [A]


class _Best(NamedTuple):
    """Running maxima over the faces seen so far."""

    anchor_iou: tf.Tensor  # float32 [A]
    anchor_face: tf.Tensor  # int32 [A]
    claimed_by: tf.Tensor  # int32 [A], the last face that claims it, or -1


def match(boxes: tf.Tensor, anchors: tf.Tensor, config: MatchConfig) -> Match:
    """Matches the faces of one image.

    Args:
        boxes: faces, float32 [G, 4], `x1 y1 x2 y2`; G may be 0.
        anchors: float32 [A, 4], `x1 y1 x2 y2` in the same unit.
        config: thresholds.
    """
    num_faces, num_anchors = tf.shape(boxes)[0], tf.shape(anchors)[0]

    def compare(start: tf.Tensor, best: _Best) -> tuple[tf.Tensor, _Best]:
        block = boxes[start : start + FACES_PER_BLOCK]
        return start + FACES_PER_BLOCK, _update(best, iou(block, anchors), start, config)

    nothing = _Best(
        anchor_iou=tf.fill([num_anchors], -1.0),
        anchor_face=tf.zeros([num_anchors], tf.int32),
        claimed_by=tf.fill([num_anchors], -1),
    )
    _, best = tf.while_loop(
        lambda start, _: start < num_faces, compare, (0, nothing), parallel_iterations=1
    )
    claimed = best.claimed_by >= 0
    return Match(
        face=tf.where(claimed, best.claimed_by, best.anchor_face),
        is_face=claimed | (best.anchor_iou >= config.iou),
    )


def _update(best: _Best, overlap: tf.Tensor, start: tf.Tensor, config: MatchConfig) -> _Best:
    """Takes a block of faces [block, A], the first of which is face `start`, into account."""
    block_iou = tf.reduce_max(overlap, axis=0)
    block_face = start + tf.argmax(overlap, axis=0, output_type=tf.int32)
    better = block_iou > best.anchor_iou
    best_anchor = tf.argmax(overlap, axis=1, output_type=tf.int32)
    may_claim = tf.reduce_max(overlap, axis=1) >= config.min_best_iou
    claims = tf.where(may_claim, start + tf.range(tf.shape(overlap)[0]), -1)
    return _Best(
        anchor_iou=tf.where(better, block_iou, best.anchor_iou),
        anchor_face=tf.where(better, block_face, best.anchor_face),
        # A maximum does not depend on the order of the claims, unlike a plain scatter on a GPU.
        claimed_by=tf.tensor_scatter_nd_max(best.claimed_by, best_anchor[:, None], claims),
    )


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
