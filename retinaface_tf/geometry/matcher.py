"""Matches anchors to faces by IoU.

An anchor takes the face that it overlaps most, if their IoU is at least `iou`. In addition, every
face claims the anchor that it overlaps most, if their IoU is at least `min_best_iou`, whatever face
that anchor would take; if several faces claim one anchor, the last gets it. Ties go to the first.

Source: biubug6/Pytorch_Retinaface, utils/box_utils.py, `match`, with one difference: there, a face
below `min_best_iou` also claims an anchor, and so takes it from the face that it belongs to.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import Levels, MatchConfig
from retinaface_tf.geometry.boxes import iou
from retinaface_tf.geometry.flat_faces import MAX_BLOCK, FlatFaces

FACES_PER_IMAGE = 16  # twice as many as a crop of WIDER FACE has on average
MIN_BLOCK = 64
NO_IOU = -1.0  # below every IoU
NO_FACE = -1.0  # below every number of a face


class Match(NamedTuple):
    """Holds the face of each anchor in each image of a batch."""

    face: tf.Tensor  # int64 [B, A], its row in FlatFaces; meaningless where is_face is False
    is_face: tf.Tensor  # bool [B, A], whether the anchor has a face


class RunningMatch(NamedTuple):
    """Holds the match with the faces compared so far; padding counts as one more image.

    Numbers of faces are floats, exact up to 2**24, because TensorFlow computes 32-bit integers on
    the host and would copy them from the GPU.
    """

    best_iou: tf.Tensor  # float [B + 1, A]; NO_IOU or less where there is no face
    best_face: tf.Tensor  # float32 [B + 1, A], the first with that IoU
    claiming_face: tf.Tensor  # float32 [B + 1, A], the last that claims the anchor, or NO_FACE


# Takes the boxes [F, 4] of a block of faces, their images int64 [F] and numbers float32 [F].
BlockMatcher = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], RunningMatch]


def match(
    faces: FlatFaces,
    num_images: int | tf.Tensor,
    anchors: tf.Tensor,
    _: Levels,
    config: MatchConfig,
) -> Match:
    """Matches the faces of a batch by IoU.

    Args:
        faces: of all images.
        num_images: B.
        anchors: float [A, 4], `x1 y1 x2 y2` in the unit and precision of the faces.
        config: thresholds.
    """

    def match_block(boxes: tf.Tensor, image: tf.Tensor, number: tf.Tensor) -> RunningMatch:
        return _match_block(iou(boxes, anchors), image, number, num_images + 1, config)

    found = match_blocks(faces, num_images, anchors, match_block)
    is_claimed = found.claiming_face > NO_FACE
    face = tf.where(is_claimed, found.claiming_face, found.best_face)
    is_face = is_claimed | (found.best_iou >= config.iou)
    return Match(tf.cast(face[:-1], tf.int64), is_face[:-1])


def match_blocks(
    faces: FlatFaces, num_images: int | tf.Tensor, anchors: tf.Tensor, match_block: BlockMatcher
) -> RunningMatch:
    """Matches the faces of a batch block by block, with no operation per image.

    Blocks have a fixed size, so that the GPU tells the host only how many there are. Usually there
    is one, of FACES_PER_IMAGE faces for each image. Each intermediate takes 30 MB for MAX_BLOCK
    faces and 29,126 anchors; 2,000 faces at once would take 233 MB.

    Returns:
        The match of all images, then of padding.
    """
    rows = tf.shape(faces.image)[0]
    usual = tf.maximum(FACES_PER_IMAGE * num_images, MIN_BLOCK)
    block = tf.reduce_min([usual, MAX_BLOCK, rows - MAX_BLOCK])
    numbers = tf.cast(tf.range(rows), tf.float32)

    def compare(start: tf.Tensor, running: RunningMatch) -> tuple[tf.Tensor, RunningMatch]:
        boxes = tf.slice(faces.boxes, [start, 0], [block, 4])
        image = tf.slice(faces.image, [start], [block])
        number = tf.slice(numbers, [start], [block])
        return start + block, _merge(running, match_block(boxes, image, number))

    state = (0, _no_match(num_images + 1, anchors))
    _, found = tf.while_loop(
        lambda start, _: start < faces.count, compare, state, parallel_iterations=1
    )
    return found


def _no_match(num_images: int | tf.Tensor, anchors: tf.Tensor) -> RunningMatch:
    shape = [num_images, anchors.shape[0]]
    return RunningMatch(
        best_iou=tf.fill(shape, tf.constant(NO_IOU, anchors.dtype)),
        best_face=tf.zeros(shape),
        claiming_face=tf.fill(shape, NO_FACE),
    )


def _match_block(
    overlap: tf.Tensor,
    image: tf.Tensor,
    number: tf.Tensor,
    num_images: int | tf.Tensor,
    config: MatchConfig,
) -> RunningMatch:
    """Matches the faces of a block.

    Args:
        overlap: IoU of the faces with all anchors, float [F, A].
        image: of each face, int64 [F].
        number: of each face, float32 [F].
        num_images: the number of images, counting padding as one.
        config: thresholds.
    """
    num_anchors = overlap.shape[1]
    best_iou, best_face = find_best(overlap, number[:, None], image, num_images)
    best_anchor = tf.argmax(overlap, axis=1)
    may_claim = tf.reduce_max(overlap, axis=1) >= config.min_best_iou
    claims = tf.math.unsorted_segment_max(
        tf.where(may_claim, number, NO_FACE),
        image * num_anchors + best_anchor,
        num_images * num_anchors,
    )
    return RunningMatch(
        best_iou=best_iou,
        best_face=best_face,
        claiming_face=tf.reshape(claims, [num_images, num_anchors]),
    )


def find_best(
    overlap: tf.Tensor, number: tf.Tensor, group: tf.Tensor, groups: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the highest overlap of each group, and the first face that has it.

    Args:
        overlap: float [N, ...].
        number: of each face, float32, in a shape that broadcasts to that of `overlap`.
        group: of each row, int64 [N].
        groups: the number of groups.

    Returns:
        The highest overlap of each group and the number of its face, both [groups, ...].
    """
    highest = tf.math.unsorted_segment_max(overlap, group, groups)
    is_highest = overlap == tf.gather(highest, group)
    number_if_highest = tf.where(is_highest, number, number.dtype.max)
    return highest, tf.math.unsorted_segment_min(number_if_highest, group, groups)


def _merge(running: RunningMatch, block: RunningMatch) -> RunningMatch:
    """Adds the match of a block to the match of earlier faces."""
    is_better = block.best_iou > running.best_iou
    return RunningMatch(
        best_iou=tf.maximum(running.best_iou, block.best_iou),
        best_face=tf.where(is_better, block.best_face, running.best_face),
        claiming_face=tf.maximum(running.claiming_face, block.claiming_face),
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
        tf.reduce_max(iou(boxes[start : start + MAX_BLOCK], anchors), axis=1)
        for start in range(0, len(boxes), MAX_BLOCK)
    ]
    return tf.concat([tf.zeros([0]), *blocks], axis=0)
