"""Computes MultiBoxLoss: a weighted sum of named terms for boxes, scores and landmarks.

The terms are those of RetinaFace (Deng et al. 2019, section 3.1) in the form of
biubug6/Pytorch_Retinaface, `layers/modules/multibox_loss.py`. Boxes and scores each have an
alternative based on the IoU of decoded boxes, as in SCRFD (Guo et al. 2021, section 4.1).
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.boxes import centres_of, paired_iou
from retinaface_tf.geometry.coder import decode_boxes
from retinaface_tf.geometry.selection import select_rows
from retinaface_tf.model.mining import mine
from retinaface_tf.structures import Predictions, Targets


class Counts(NamedTuple):
    """Counts the anchors in the global batch by which losses are divided: float scalars."""

    faces: tf.Tensor  # anchors matched to a face
    landmarks: tf.Tensor  # those whose face has landmarks


class Losses(NamedTuple):
    """Holds scalars in the precision of the predictions; sums over replicas are the batch's."""

    terms: dict[str, tf.Tensor]  # by their names in TERMS, unweighted
    total: tf.Tensor  # weighted sum of the terms


# Takes counts of at least 1 in the precision of the predictions; returns a scalar.
Compute = Callable[[Predictions, Targets, Counts, Config], tf.Tensor]


class Term(NamedTuple):
    weight: str  # the field of LossConfig that weights the term
    compute: Compute


def count_positives(targets: Targets, dtype: tf.DType = tf.float32) -> Counts:
    """Counts the positives of a batch, or of a replica's part, to be summed over replicas."""
    return Counts(
        faces=tf.reduce_sum(tf.cast(targets.is_face, dtype)),
        landmarks=tf.reduce_sum(tf.cast(targets.has_landmarks, dtype)),
    )


def smooth_l1_boxes(
    predictions: Predictions, targets: Targets, counts: Counts, _: Config
) -> tf.Tensor:
    """Returns the smooth L1 distance of encoded boxes per face."""
    return _smooth_l1(predictions.boxes, targets.boxes, targets.is_face) / counts.faces


def diou_boxes(
    predictions: Predictions, targets: Targets, counts: Counts, config: Config
) -> tf.Tensor:
    """Returns the distance-IoU loss of decoded boxes per face.

    Source: Zheng et al. 2020 (arXiv 1911.08287), equation 7.
    """
    predicted, wanted = _decode(predictions.boxes, targets, config)
    hull = tf.maximum(predicted[..., 2:], wanted[..., 2:]) - tf.minimum(
        predicted[..., :2], wanted[..., :2]
    )
    apart = centres_of(predicted) - centres_of(wanted)
    distance = _squared_length(apart) / _squared_length(hull)
    return tf.reduce_sum(1 - paired_iou(predicted, wanted) + distance) / counts.faces


def landmark_loss(
    predictions: Predictions, targets: Targets, counts: Counts, _: Config
) -> tf.Tensor:
    """Returns the smooth L1 distance of landmarks per face that has landmarks."""
    distance = _smooth_l1(predictions.landmarks, targets.landmarks, targets.has_landmarks)
    return distance / counts.landmarks


def mined_cross_entropy(
    predictions: Predictions, targets: Targets, counts: Counts, config: Config
) -> tf.Tensor:
    """Returns the cross-entropy of faces and hard negatives per face.

    Negatives are mined per image: `negatives_per_positive` for each positive, those that look most
    like a face to the network; an image without positives contributes `min_negatives`.
    """
    is_face = targets.is_face
    margin = _margin(predictions)
    entropy = tf.nn.softplus(tf.where(is_face, -margin, margin))
    zeros = tf.zeros_like(entropy)
    num_faces = tf.reduce_sum(tf.cast(is_face, tf.float32), axis=1)
    negatives, at_least = config.loss.negatives_per_positive, config.loss.min_negatives
    wanted = tf.maximum(negatives * num_faces, float(at_least))
    # Faces rank last, so that they are never mined.
    is_mined = mine(tf.stop_gradient(tf.where(is_face, zeros, entropy)), wanted)
    return tf.reduce_sum(tf.where(is_face | is_mined, entropy, zeros)) / counts.faces


def quality_focal(
    predictions: Predictions, targets: Targets, counts: Counts, config: Config
) -> tf.Tensor:
    """Returns the quality focal loss of all anchors per face.

    The target score is the IoU of the decoded box for a face, and 0 for background; the farther a
    score is from its target, the more its cross-entropy counts.

    Source: Li et al. 2020 (arXiv 2006.04388), equation 2, with its beta of 2.
    """
    margin = _margin(predictions)
    overlap = tf.stop_gradient(paired_iou(*_decode(predictions.boxes, targets, config)))
    quality = tf.where(targets.is_face, overlap, tf.zeros_like(overlap))
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(quality, margin)
    return tf.reduce_sum(tf.square(quality - tf.sigmoid(margin)) * entropy) / counts.faces


# By name, as in the config's choices. To add a loss, add an entry.
BOX_LOSSES = {"smooth_l1": smooth_l1_boxes, "diou": diou_boxes}
SCORE_LOSSES = {"cross_entropy": mined_cross_entropy, "quality_focal": quality_focal}


def box_loss(
    predictions: Predictions, targets: Targets, counts: Counts, config: Config
) -> tf.Tensor:
    """Returns the loss of boxes that the config names in BOX_LOSSES."""
    return BOX_LOSSES[config.loss.boxes](predictions, targets, counts, config)


def score_loss(
    predictions: Predictions, targets: Targets, counts: Counts, config: Config
) -> tf.Tensor:
    """Returns the loss of scores that the config names in SCORE_LOSSES."""
    return SCORE_LOSSES[config.loss.scores](predictions, targets, counts, config)


# Metrics, progress, bad batches and `doctor replay` follow this table.
TERMS = {
    "boxes": Term("box_weight", box_loss),
    "scores": Term("score_weight", score_loss),
    "landmarks": Term("landmark_weight", landmark_loss),
}


class MultiBoxLoss:
    """Computes all TERMS and their weighted sum."""

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, predictions: Predictions, targets: Targets, counts: Counts) -> Losses:
        """Returns the losses of a batch, or of a replica's part with the global batch's counts."""
        dtype = predictions.boxes.dtype
        divisors = Counts(*(tf.maximum(tf.cast(count, dtype), 1) for count in counts))
        terms = {
            name: term.compute(predictions, targets, divisors, self.config)
            for name, term in TERMS.items()
        }
        weights = {name: getattr(self.config.loss, term.weight) for name, term in TERMS.items()}
        return Losses(terms, tf.add_n([weights[name] * terms[name] for name in TERMS]))


def _margin(predictions: Predictions) -> tf.Tensor:
    """Returns how far the face logit exceeds the background logit [B, A]."""
    background, face = tf.unstack(predictions.logits, 2, axis=-1)
    return face - background


def _decode(boxes: tf.Tensor, targets: Targets, config: Config) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes predicted and target boxes, `x1 y1 x2 y2` [B, A, 4] in units of their anchor.

    Without a face, both are the anchor itself. IoU and distance-IoU do not depend on the unit, as
    anchors are squares.
    """
    anchor = tf.constant([0, 0, 1, 1], boxes.dtype)
    wanted = tf.cast(targets.boxes, boxes.dtype)
    return tuple(
        decode_boxes(select_rows(targets.is_face, each), anchor, config.anchors.variances)
        for each in (boxes, wanted)
    )


def _squared_length(vectors: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(vectors), axis=-1)


def _smooth_l1(predicted: tf.Tensor, target: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Sums the smooth L1 distance (beta 1) over the anchors in `chosen` [B, A].

    The other anchors are dropped by selection, as an infinite target times 0 would be NaN.
    """
    return _huber(select_rows(chosen, predicted - tf.cast(target, predicted.dtype)))


@tf.custom_gradient
def _huber(difference: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Sums d ** 2 / 2 where the absolute difference d is below 1, and d - 1 / 2 elsewhere.

    It takes a third of the operations of tf.where and its gradient.
    """
    one = tf.ones([], difference.dtype)
    slope = tf.raw_ops.ClipByValue(t=difference, clip_value_min=-one, clip_value_max=one)
    total = tf.reduce_sum(slope * (difference - 0.5 * slope))

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # NaN if the total is not finite, so that the gradient's norm shows it, too.
        return slope * (upstream + 0 * total)

    return total, gradient
