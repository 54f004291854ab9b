"""MultiBoxLoss: a weighted sum of named terms for boxes, scores and landmarks.

The terms are those of RetinaFace (Deng et al. 2019, section 3.1) as biubug6/Pytorch_Retinaface has
them in `layers/modules/multibox_loss.py`.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import LossConfig
from retinaface_tf.geometry.selection import select_rows
from retinaface_tf.model.mining import mine
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
        faces=tf.reduce_sum(tf.cast(targets.is_face, dtype)),
        landmarks=tf.reduce_sum(tf.cast(targets.has_landmarks, dtype)),
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
    background, face = tf.unstack(predictions.logits, 2, axis=-1)
    margin = face - background
    entropy = tf.nn.softplus(tf.where(is_face, -margin, margin))
    zeros = tf.zeros_like(entropy)
    num_faces = tf.reduce_sum(tf.cast(is_face, tf.float32), axis=1)
    wanted = tf.maximum(config.negatives_per_positive * num_faces, float(config.min_negatives))
    # Faces rank last, where they change nothing.
    is_mined = mine(tf.stop_gradient(tf.where(is_face, zeros, entropy)), wanted)
    return tf.reduce_sum(tf.where(is_face | is_mined, entropy, zeros)) / counts.faces


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

    The other anchors are dropped by selection: an infinite target times 0 would be NaN.
    """
    return _huber(select_rows(chosen, predicted - tf.cast(target, predicted.dtype)))


@tf.custom_gradient
def _huber(difference: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Sums d ** 2 / 2 where the absolute difference d is below 1, and d - 1 / 2 elsewhere.

    In a third of the operations that tf.where and its gradient would take.
    """
    one = tf.ones([], difference.dtype)
    slope = tf.raw_ops.ClipByValue(t=difference, clip_value_min=-one, clip_value_max=one)
    total = tf.reduce_sum(slope * (difference - 0.5 * slope))

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # NaN where the total is not finite, so that the norm of the gradient tells it, too.
        return slope * (upstream + 0 * total)

    return total, gradient
