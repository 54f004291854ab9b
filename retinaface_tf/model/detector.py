"""Joins network, decoding and NMS into the detector that evaluation calls and export saves."""

from typing import NamedTuple

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.boxes import is_inside
from retinaface_tf.geometry.coder import decode_boxes, decode_landmarks
from retinaface_tf.geometry.nms import suppress
from retinaface_tf.model.freezing import FrozenNetwork
from retinaface_tf.structures import DetectionBatch, Predictions

_IMAGES = tf.TensorSpec([None, None, None, 3], tf.uint8)
_PER_IMAGE = tf.TensorSpec([None], tf.float32)  # a value for each image [B], or one for all [1]
_SCALES = tf.TensorSpec([None, 2], tf.float32)  # x and y of each image [B, 2], or of all [1, 2]
_REGION = tf.TensorSpec([4], tf.float32)
_DETECTIONS = DetectionBatch(
    boxes=tf.TensorSpec([None, None, 4], tf.float32),
    scores=tf.TensorSpec([None, None], tf.float32),
    landmarks=tf.TensorSpec([None, None, 5, 2], tf.float32),
    num_detections=tf.TensorSpec([None], tf.int32),
)


class Candidates(NamedTuple):
    """Holds the candidates for NMS, best first."""

    boxes: tf.Tensor  # float32 [B, K, 4], `x1 y1 x2 y2` in pixels
    scores: tf.Tensor  # float32 [B, K]
    landmarks: tf.Tensor  # float32 [B, K, 5, 2], in pixels


class GraphDetector(tf.Module):
    """Finds faces in RGB images with a network and the thresholds of `config.detector`.

    Detections have `max_detections` rows per image. If that is None, as in evaluation, all
    detections are returned, in as many rows as the image with the most detections needs.
    """

    def __init__(self, network: keras.Model | FrozenNetwork, config: Config):
        super().__init__(name="detector")
        self.network = network
        self.config = config
        # TensorFlow's C++ loader finds only the variables that a tf.Module holds as tf.Variable.
        self.variables_of_network = [variable.value for variable in network.variables]

    def __call__(
        self,
        images: tf.Tensor,
        scale: float | tf.Tensor = 1.0,
        *,
        score_threshold: float | tf.Tensor | None = None,
        nms_iou: float | tf.Tensor | None = None,
    ) -> DetectionBatch:
        """Detects faces.

        Args:
            images: uint8 [B, H, W, 3], RGB, upright.
            scale: the factor by which the images were resized; or factors for x and y, [2] or, for
                each image, [B, 2]. Detections and the IoU of NMS are in pixels of the image before
                resizing.
            score_threshold: replaces the config's; for all images or for each [B].
            nms_iou: replaces the config's; for all images or for each [B].
        """
        thresholds = self.thresholds(score_threshold, nms_iou)
        return self._detect(tf.convert_to_tensor(images), scale_of_axes(scale), *thresholds)

    def candidates(
        self,
        images: tf.Tensor,
        scale: float | tf.Tensor = 1.0,
        region: tuple[float, float, float, float] | tf.Tensor | None = None,
        *,
        score_threshold: float | tf.Tensor | None = None,
    ) -> DetectionBatch:
        """Returns the boxes above the score threshold before NMS, at most `top_k` per image.

        Args:
            images: uint8 [B, H, W, 3], RGB, upright.
            scale: the factor by which the images were resized, as in a call of the detector.
            region: `x1 y1 x2 y2` in pixels of `images`; anchors count only if their centre lies
                in it (x1 <= x < x2, y1 <= y < y2). None takes all anchors.
            score_threshold: replaces the config's; for all images or for each [B].
        """
        threshold, _ = self.thresholds(score_threshold, None)
        images, scales = tf.convert_to_tensor(images), scale_of_axes(scale)
        if region is None:
            return self._candidates(images, scales, threshold)
        return self._candidates_inside(images, scales, tf.cast(region, tf.float32), threshold)

    def suppress(
        self,
        candidates: DetectionBatch,
        *,
        score_threshold: float | tf.Tensor | None = None,
        nms_iou: float | tf.Tensor | None = None,
    ) -> DetectionBatch:
        """Suppresses overlapping candidates.

        `suppress(candidates(images))` equals calling the detector on the images.

        Args:
            candidates: of images, in any order, with at least one row for each image.
            score_threshold: replaces the config's; for all images or for each [B].
            nms_iou: replaces the config's; for all images or for each [B].
        """
        return self._sort_and_suppress(candidates, *self.thresholds(score_threshold, nms_iou))

    @tf.function(autograph=False, input_signature=[_DETECTIONS, _PER_IMAGE, _PER_IMAGE])
    def _sort_and_suppress(
        self, candidates: DetectionBatch, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        order = tf.math.top_k(candidates.scores, tf.shape(candidates.scores)[1]).indices
        best_first = (tf.gather(rows, order, batch_dims=1) for rows in candidates[:3])
        return self._suppress(Candidates(*best_first), score_threshold, nms_iou)

    @tf.function(autograph=False, input_signature=[_IMAGES, _SCALES, _PER_IMAGE, _PER_IMAGE])
    def _detect(
        self, images: tf.Tensor, scales: tf.Tensor, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        predictions, anchors = self._predict(images)
        scores = _face_scores(predictions)
        sizes = _size(images) / scales[:, None]
        candidates = self._decode(predictions, anchors, scores, sizes, score_threshold)
        return self._suppress(candidates, score_threshold, nms_iou)

    @tf.function(autograph=False, input_signature=[_IMAGES, _SCALES, _PER_IMAGE])
    def _candidates(
        self, images: tf.Tensor, scales: tf.Tensor, score_threshold: tf.Tensor
    ) -> DetectionBatch:
        return self._find_candidates(images, scales, None, score_threshold)

    @tf.function(autograph=False, input_signature=[_IMAGES, _SCALES, _REGION, _PER_IMAGE])
    def _candidates_inside(
        self, images: tf.Tensor, scales: tf.Tensor, region: tf.Tensor, score_threshold: tf.Tensor
    ) -> DetectionBatch:
        return self._find_candidates(images, scales, region, score_threshold)

    def _find_candidates(
        self,
        images: tf.Tensor,
        scales: tf.Tensor,
        region: tf.Tensor | None,
        score_threshold: tf.Tensor,
    ) -> DetectionBatch:
        predictions, anchors = self._predict(images)
        size, scores = _size(images), _face_scores(predictions)
        if region is not None:
            scores = tf.where(is_inside(anchors[:, :2] * size, region), scores, 0.0)
        sizes = size / scales[:, None]
        candidates = self._decode(predictions, anchors, scores, sizes, score_threshold)
        return _zero_past(_count_above(candidates.scores, score_threshold), candidates)

    def thresholds(
        self, score_threshold: float | tf.Tensor | None, nms_iou: float | tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the given thresholds, or the config's if they are None, as [B] or [1]."""
        config = self.config.detector
        score = config.score_threshold if score_threshold is None else score_threshold
        iou = config.nms_iou if nms_iou is None else nms_iou
        return _per_image(score), _per_image(iou)

    def _predict(self, images: tf.Tensor) -> tuple[Predictions, tf.Tensor]:
        """Returns the predictions and their anchors [A, 4]."""
        predictions = Predictions(**self.network(images, training=False))
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        return predictions, make_anchors(height, width, self.config.anchors)

    def _decode(
        self,
        predictions: Predictions,
        anchors: tf.Tensor,
        scores: tf.Tensor,
        sizes: tf.Tensor,
        score_threshold: tf.Tensor,
    ) -> Candidates:
        """Decodes the anchors with the best scores [B, A] into candidates for NMS.

        Candidates are in pixels of images whose widths and heights are `sizes`, [B, 1, 2] or,
        for all images, [1, 1, 2].
        """
        scores, best = tf.math.top_k(scores, self._count(scores, score_threshold))
        anchors = tf.gather(anchors, best)
        boxes, landmarks = (
            tf.gather(tf.cast(rows, tf.float32), best, batch_dims=1)
            for rows in (predictions.boxes, predictions.landmarks)
        )
        variances = self.config.anchors.variances
        boxes = decode_boxes(boxes, anchors, variances) * tf.tile(sizes, [1, 1, 2])
        landmarks = decode_landmarks(landmarks, anchors, variances) * sizes[..., None, :]
        return Candidates(boxes, scores, landmarks)

    def _count(self, scores: tf.Tensor, score_threshold: tf.Tensor) -> tf.Tensor:
        """Returns the number K of candidates that each image of the batch needs."""
        # At least one, so that an image without faces needs no special case.
        count = tf.maximum(tf.reduce_max(_count_above(scores, score_threshold)), 1)
        top_k = self.config.detector.top_k
        return count if top_k is None else tf.minimum(count, top_k)

    def _suppress(
        self, candidates: Candidates, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        """Suppresses overlapping boxes per image; rows past the last detection are zero."""
        limit = self.config.detector.max_detections
        kept = suppress(candidates.boxes, candidates.scores, score_threshold, nms_iou, limit)
        rows = (tf.gather(part, kept.indices, batch_dims=1) for part in candidates)
        return _zero_past(kept.counts, Candidates(*rows))


def scale_of_axes(scale: float | tf.Tensor) -> tf.Tensor:
    """Turns a detector's `scale` into factors for x and y, float32 [1, 2] or [B, 2]."""
    return tf.ones([1, 2]) * tf.cast(scale, tf.float32)


def _face_scores(predictions: Predictions) -> tf.Tensor:
    """Returns the probability [B, A] of a face at each anchor."""
    return tf.nn.softmax(tf.cast(predictions.logits, tf.float32))[..., 1]


def _count_above(scores: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Counts the scores [B, K] of each image above its threshold, [B] or [1]: int32 [B]."""
    return tf.math.count_nonzero(scores > threshold[:, None], axis=1, dtype=tf.int32)


def _per_image(value: float | tf.Tensor) -> tf.Tensor:
    """Turns a value for all images, or one for each, into float32 [1] or [B]."""
    return tf.reshape(tf.cast(value, tf.float32), [-1])


def _size(images: tf.Tensor) -> tf.Tensor:
    """Returns the width and height of images, float32 [2]."""
    return tf.cast(tf.shape(images)[2:0:-1], tf.float32)


def _zero_past(counts: tf.Tensor, candidates: Candidates) -> DetectionBatch:
    """Keeps the first `counts` [B] rows of each image and sets the others to 0."""
    is_kept = tf.sequence_mask(counts, tf.shape(candidates.scores)[1])

    def select(rows: tf.Tensor) -> tf.Tensor:
        mask = tf.reshape(is_kept, tf.concat([tf.shape(is_kept), [1] * (len(rows.shape) - 2)], 0))
        return tf.where(mask, rows, tf.zeros_like(rows))

    boxes, scores, landmarks = map(select, candidates)
    return DetectionBatch(boxes, scores, landmarks, counts)
