"""MultiBoxLoss: a weighted sum of named terms for boxes, scores and landmarks.

The terms are those of RetinaFace (Deng et al. 2019, section 3.1) as biubug6/Pytorch_Retinaface has
them in `layers/modules/multibox_loss.py`.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import LossConfig
from retinaface_tf.structures import Predictions, Targets


class Counts(NamedTuple):
    """Numbers of anchors in the global batch by which losses are divided: float scalars."""

    faces: tf.Tensor  # anchors that answer for a face
    landmarks: tf.Tensor  # those whose face has landmarks


class Losses(NamedTuple):
    """Scalars in the precision of the predictions; their sum over replicas is the batch's."""

    terms: dict[str, tf.Tensor]  # by the names of TERMS, not weighted
    total: tf.Tensor  # weighted sum of the terms


class Term(NamedTuple):
    weight: str  # the field of LossConfig that weights the term
    # Takes counts of at least 1 in the precision of the predictions; returns a scalar.
    compute: Callable[[Predictions, Targets, Counts, LossConfig], tf.Tensor]


def count_positives(targets: Targets, dtype: tf.DType = tf.float32) -> Counts:
    """Counts the positives of a batch, or of a replica's part of it: sum those over replicas."""
    return Counts(
        faces=tf.math.count_nonzero(targets.is_face, dtype=dtype),
        landmarks=tf.math.count_nonzero(targets.has_landmarks, dtype=dtype),
    )


def box_loss(
    predictions: Predictions, targets: Targets, counts: Counts, _: LossConfig
) -> tf.Tensor:
    """Returns the smooth L1 distance of boxes per face."""
    return _smooth_l1(predictions.boxes, targets.boxes, targets.is_face) / counts.faces


def landmark_loss(
    predictions: Predictions, targets: Targets, counts: Counts, _: LossConfig
) -> tf.Tensor:
    """Returns the smooth L1 distance of landmarks per face that has them."""
    distance = _smooth_l1(predictions.landmarks, targets.landmarks, targets.has_landmarks)
    return distance / counts.landmarks


def score_loss(
    predictions: Predictions, targets: Targets, counts: Counts, config: LossConfig
) -> tf.Tensor:
    """Returns the cross-entropy of faces and hard negatives per face.

    Negatives are mined per image: `negatives_per_positive` times its positives, the ones that the
    network finds most face-like; an image without positives gives `min_negatives`.
    """
    is_face = targets.is_face
    margin = predictions.logits[..., 1] - predictions.logits[..., 0]
    zeros = tf.zeros_like(margin)
    positive = tf.reduce_sum(tf.where(is_face, tf.nn.softplus(-margin), zeros))
    as_background = tf.where(is_face, zeros, tf.nn.softplus(margin))
    num_faces = tf.math.count_nonzero(is_face, axis=1, dtype=tf.int32)
    wanted = tf.maximum(config.negatives_per_positive * num_faces, config.min_negatives)
    # Faces rank last and add 0 where an image has fewer negatives than wanted.
    wanted = tf.minimum(wanted, tf.shape(is_face)[1])
    hardest = tf.math.top_k(as_background, tf.reduce_max(wanted)).values
    taken = tf.sequence_mask(wanted, tf.reduce_max(wanted))
    negative = tf.reduce_sum(tf.where(taken, hardest, tf.zeros_like(hardest)))
    return (positive + negative) / counts.faces


# Metrics, progress, bad batches and `doctor replay` follow this table.
TERMS = {
    "boxes": Term("box_weight", box_loss),
    "scores": Term("score_weight", score_loss),
    "landmarks": Term("landmark_weight", landmark_loss),
}


class MultiBoxLoss:
    """Computes all TERMS and their weighted sum."""

    def __init__(self, config: LossConfig):
        self.config = config

    def __call__(self, predictions: Predictions, targets: Targets, counts: Counts) -> Losses:
        """Returns the losses of a batch, or of a replica's part with the global batch's counts."""
        dtype = predictions.boxes.dtype
        divisors = Counts(*(tf.maximum(tf.cast(count, dtype), 1) for count in counts))
        terms = {
            name: term.compute(predictions, targets, divisors, self.config)
            for name, term in TERMS.items()
        }
        weights = {name: getattr(self.config, term.weight) for name, term in TERMS.items()}
        return Losses(terms, tf.add_n([weights[name] * terms[name] for name in TERMS]))


def _smooth_l1(predicted: tf.Tensor, target: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Sums the smooth L1 distance (beta 1) over the anchors in `chosen` [B, A].

    The other anchors are left out before any arithmetic: they would only cost time, and an infinite
    target times 0 would be NaN.
    """
    rows = tf.where(chosen)
    target = tf.cast(tf.gather_nd(target, rows), predicted.dtype)
    distance = tf.abs(tf.gather_nd(predicted, rows) - target)
    return tf.reduce_sum(tf.where(distance < 1, 0.5 * tf.square(distance), distance - 0.5))
