"""Matcher: assigns faces to anchors.

An anchor takes the face that it overlaps most, if their IoU is at least `iou`. Besides, every face
claims the anchor that it overlaps most, if their IoU is at least `min_best_iou`, whatever face that
anchor would take; if several faces claim one anchor, the last face has it. Ties go to the first.

Source: biubug6/Pytorch_Retinaface, utils/box_utils.py, `match`, with one difference. There a face
below `min_best_iou` claims an anchor too, which takes the anchor from the face that it belongs to.
"""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import MatchConfig
from retinaface_tf.geometry.boxes import iou

# Faces compared with all anchors at a time. 2,000 faces against 29,126 anchors would be 233 MB
# for each intermediate; 64 are 7 MB, and a usual image is one block all the same.
FACES_PER_BLOCK = 64


NO_IOU, NO_FACE = -1.0, -1  # below every IoU and every number of a face


class Match(NamedTuple):
    """The face of each anchor of an image."""

    face: tf.Tensor  # int32 [A], number of the face; meaningless where is_face is False
    is_face: tf.Tensor  # bool [A], whether the anchor has a face


class _RunningMatch(NamedTuple):
    """The match with the faces compared so far."""

    best_iou: tf.Tensor  # float32 [A], or NO_IOU
    best_face: tf.Tensor  # int32 [A]
    claiming_face: tf.Tensor  # int32 [A], the last face that claims the anchor, or NO_FACE


def match(boxes: tf.Tensor, anchors: tf.Tensor, config: MatchConfig) -> Match:
    """Matches the faces of one image.

    Args:
        boxes: faces, float32 [G, 4], `x1 y1 x2 y2`; G may be 0.
        anchors: float32 [A, 4], `x1 y1 x2 y2` in the same unit.
        config: thresholds.
    """
    num_faces = tf.shape(boxes)[0]

    def compare(start: tf.Tensor, running: _RunningMatch) -> tuple[tf.Tensor, _RunningMatch]:
        block = boxes[start : start + FACES_PER_BLOCK]
        return start + FACES_PER_BLOCK, _update(running, iou(block, anchors), start, config)

    state = (0, _no_match(tf.shape(anchors)[0]))
    _, found = tf.while_loop(
        lambda start, _: start < num_faces, compare, state, parallel_iterations=1
    )
    is_claimed = found.claiming_face > NO_FACE
    return Match(
        face=tf.where(is_claimed, found.claiming_face, found.best_face),
        is_face=is_claimed | (found.best_iou >= config.iou),
    )


def _no_match(num_anchors: tf.Tensor) -> _RunningMatch:
    return _RunningMatch(
        best_iou=tf.fill([num_anchors], NO_IOU),
        best_face=tf.zeros([num_anchors], tf.int32),
        claiming_face=tf.fill([num_anchors], NO_FACE),
    )


def _update(
    running: _RunningMatch, overlap: tf.Tensor, start: tf.Tensor, config: MatchConfig
) -> _RunningMatch:
    """Updates the match with a block of faces.

    Args:
        running: the match of the faces before.
        overlap: IoU of the faces of the block with all anchors, float32 [faces, A].
        start: number of the block's first face.
        config: thresholds.
    """
    block_iou = tf.reduce_max(overlap, axis=0)
    block_face = start + tf.argmax(overlap, axis=0, output_type=tf.int32)
    is_better = block_iou > running.best_iou
    best_anchor = tf.argmax(overlap, axis=1, output_type=tf.int32)
    may_claim = tf.reduce_max(overlap, axis=1) >= config.min_best_iou
    claims = tf.where(may_claim, start + tf.range(tf.shape(overlap)[0]), NO_FACE)
    return _RunningMatch(
        best_iou=tf.where(is_better, block_iou, running.best_iou),
        best_face=tf.where(is_better, block_face, running.best_face),
        # A maximum does not depend on the order of the claims, unlike a plain scatter on a GPU.
        claiming_face=tf.tensor_scatter_nd_max(running.claiming_face, best_anchor[:, None], claims),
    )


def best_overlaps(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Returns the highest IoU of each face with any anchor; 0 for a box without area.

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
