"""MultiBoxLoss: boxes, scores with mined negatives, landmarks (REFERENCE 4.1)."""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import LossConfig
from retinaface_tf.structures import Predictions, Targets


class Counts(NamedTuple):
    """What the losses are divided by: float scalars, of the global batch."""

    faces: tf.Tensor  # anchors that answer for a face
    landmarks: tf.Tensor  # those whose face has landmarks


class Losses(NamedTuple):
    """Scalars in the precision of the predictions; their sum over replicas is the batch's."""

    boxes: tf.Tensor
    scores: tf.Tensor
    landmarks: tf.Tensor
    total: tf.Tensor  # weighted


def count_positives(targets: Targets, dtype: tf.DType = tf.float32) -> Counts:
    """Counts of this batch, or of one replica's share of it: sum them over all replicas."""
    return Counts(
        faces=tf.math.count_nonzero(targets.is_face, dtype=dtype),
        landmarks=tf.math.count_nonzero(targets.has_landmarks, dtype=dtype),
    )


class MultiBoxLoss:
    """Smooth L1 of boxes and landmarks, cross-entropy of scores over faces and hard negatives.

    Negatives are mined per image: `negatives_per_positive` times its positives, the ones that the
    network finds most face-like; an image without positives gives `min_negatives`.
    """

    def __init__(self, config: LossConfig):
        self.config = config

    def __call__(self, predictions: Predictions, targets: Targets, counts: Counts) -> Losses:
        """Losses of a batch, or of one replica's share with the counts of the whole batch."""
        dtype = predictions.boxes.dtype
        faces = tf.maximum(tf.cast(counts.faces, dtype), 1)
        with_landmarks = tf.maximum(tf.cast(counts.landmarks, dtype), 1)
        boxes = _smooth_l1(predictions.boxes, targets.boxes, targets.is_face) / faces
        scores = self._scores(predictions.logits, targets.is_face) / faces
        landmarks = (
            _smooth_l1(predictions.landmarks, targets.landmarks, targets.has_landmarks)
            / with_landmarks
        )
        config = self.config
        total = (
            config.box_weight * boxes
            + config.score_weight * scores
            + config.landmark_weight * landmarks
        )
        return Losses(boxes, scores, landmarks, total)

    def _scores(self, logits: tf.Tensor, is_face: tf.Tensor) -> tf.Tensor:
        """Summed cross-entropy of logits [B, A, 2] over faces and mined negatives."""
        margin = logits[..., 1] - logits[..., 0]
        nothing = tf.zeros_like(margin)
        positive = tf.reduce_sum(tf.where(is_face, tf.nn.softplus(-margin), nothing))
        as_background = tf.where(is_face, nothing, tf.nn.softplus(margin))
        num_faces = tf.math.count_nonzero(is_face, axis=1, dtype=tf.int32)
        wanted = tf.maximum(
            self.config.negatives_per_positive * num_faces, self.config.min_negatives
        )
        # Faces rank last and add 0 where an image has fewer negatives than wanted.
        wanted = tf.minimum(wanted, tf.shape(is_face)[1])
        hardest = tf.math.top_k(as_background, tf.reduce_max(wanted)).values
        taken = tf.sequence_mask(wanted, tf.reduce_max(wanted))
        return positive + tf.reduce_sum(tf.where(taken, hardest, tf.zeros_like(hardest)))


def _smooth_l1(predicted: tf.Tensor, target: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Sum over the anchors in `chosen` [B, A] of the smooth L1 distance, beta 1.

    The rest, all but a hundredth, is left out before any arithmetic: it would only cost, and an
    infinite target times 0 would be NaN.
    """
    rows = tf.where(chosen)
    target = tf.cast(tf.gather_nd(target, rows), predicted.dtype)
    distance = tf.abs(tf.gather_nd(predicted, rows) - target)
    return tf.reduce_sum(tf.where(distance < 1, 0.5 * tf.square(distance), distance - 0.5))
