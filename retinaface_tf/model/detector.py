"""The detector: network, decode, NMS. Evaluation calls it and export saves it, the same object."""

import math

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.coder import decode_boxes, decode_landmarks
from retinaface_tf.structures import DetectionBatch, Predictions

EVERYWHERE = (-math.inf, -math.inf, math.inf, math.inf)

_IMAGES = tf.TensorSpec([None, None, None, 3], tf.uint8)
_EACH = tf.TensorSpec([None], tf.float32)  # of each image [B], or one of all [1]
_REGION = tf.TensorSpec([4], tf.float32)
_DETECTIONS = DetectionBatch(
    boxes=tf.TensorSpec([None, None, 4], tf.float32),
    scores=tf.TensorSpec([None, None], tf.float32),
    landmarks=tf.TensorSpec([None, None, 5, 2], tf.float32),
    num_detections=tf.TensorSpec([None], tf.int32),
)
# Boxes [B, K, 4], scores [B, K], landmarks [B, K, 5, 2] of what NMS has to look at, best first.
Decoded = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class Detector(tf.Module):
    """Faces of images, by a network and the thresholds of `config.detector`.

    With `top_k` and `max_detections` None, as evaluation wants them, nothing is left out and `D`
    is what the batch needs; otherwise `D` is `max_detections`, whatever the image.
    """

    def __init__(self, network: keras.Model, config: Config):
        super().__init__(name="detector")
        self.network = network
        self.config = config
        # TensorFlow's C++ loader finds only variables that a tf.Module holds as tf.Variable.
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
            scale: pixels of these images per pixel of the image that the answer is about, where
                they were resized; NMS counts inclusive pixels, so it has to know. One for all, or
                one for each [B].
            score_threshold: instead of the config's; likewise one or [B].
            nms_iou: likewise.
        """
        thresholds = self._thresholds(score_threshold, nms_iou)
        return self._detect(tf.convert_to_tensor(images), _each(scale), *thresholds)

    def candidates(
        self,
        images: tf.Tensor,
        scale: float | tf.Tensor = 1.0,
        region: tuple[float, float, float, float] | tf.Tensor = EVERYWHERE,
    ) -> DetectionBatch:
        """What is above the threshold before NMS, at most `top_k` of each image.

        Args:
            images: uint8 [B, H, W, 3], RGB, upright.
            scale: as above.
            region: x1 y1 x2 y2 [4] in pixels of `images`; only anchors count whose centre lies in
                it, on its near edges included, on its far edges not.
        """
        region = tf.cast(region, tf.float32)
        return self._candidates(tf.convert_to_tensor(images), _each(scale), region)

    @tf.function(input_signature=[_DETECTIONS])
    def suppress(self, candidates: DetectionBatch) -> DetectionBatch:
        """NMS of candidates: `candidates` and then this is what calling the detector is."""
        scores, best = tf.math.top_k(candidates.scores, tf.shape(candidates.scores)[1])
        boxes, landmarks = (
            tf.gather(rows, best, batch_dims=1) for rows in (candidates.boxes, candidates.landmarks)
        )
        return self._suppress((boxes, scores, landmarks), *self._thresholds(None, None))

    @tf.function(input_signature=[_IMAGES, _EACH, _EACH, _EACH])
    def _detect(
        self, images: tf.Tensor, scales: tf.Tensor, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        predictions, anchors = self._predict(images)
        scores = _face_scores(predictions)
        sizes = _size(images) / scales[:, None, None]
        decoded = self._decode(predictions, anchors, scores, sizes, score_threshold)
        return self._suppress(decoded, score_threshold, nms_iou)

    @tf.function(input_signature=[_IMAGES, _EACH, _REGION])
    def _candidates(
        self, images: tf.Tensor, scales: tf.Tensor, region: tf.Tensor
    ) -> DetectionBatch:
        predictions, anchors = self._predict(images)
        size, (threshold, _) = _size(images), self._thresholds(None, None)
        scores = tf.where(_inside(anchors[:, :2] * size, region), _face_scores(predictions), 0.0)
        sizes = size / scales[:, None, None]
        boxes, scores, landmarks = self._decode(predictions, anchors, scores, sizes, threshold)
        hot = scores > threshold[:, None]
        counts = tf.math.count_nonzero(hot, axis=1, dtype=tf.int32)
        return _zero_past(counts, boxes, scores, landmarks)

    def _thresholds(
        self, score_threshold: float | tf.Tensor | None, nms_iou: float | tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Those given, and the config's where there is none, [B] or [1]."""
        config = self.config.detector
        score = config.score_threshold if score_threshold is None else score_threshold
        iou = config.nms_iou if nms_iou is None else nms_iou
        return _each(score), _each(iou)

    def _predict(self, images: tf.Tensor) -> tuple[Predictions, tf.Tensor]:
        """What the network says, and the anchors [A, 4] that it says it of."""
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
    ) -> Decoded:
        """Decodes what NMS has to look at, by scores [B, A].

        In pixels of images of these sizes, [B, 1, 2] or [1, 1, 2] for all.
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
        return boxes, scores, landmarks

    def _count(self, scores: tf.Tensor, score_threshold: tf.Tensor) -> tf.Tensor:
        """How many of each image NMS has to look at, so that it misses none of any."""
        hot = tf.math.count_nonzero(scores > score_threshold[:, None], axis=1, dtype=tf.int32)
        # At least one, so that an image without faces needs no path of its own.
        wanted = tf.maximum(tf.reduce_max(hot), 1)
        if self.config.detector.top_k is not None:
            wanted = tf.minimum(wanted, self.config.detector.top_k)
        return wanted

    def _suppress(
        self, decoded: Decoded, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        """Greedy NMS per image; rows past the last detection are zero."""
        config = self.config.detector
        boxes, scores, landmarks = decoded
        most = config.max_detections or tf.shape(scores)[1]
        # The originals count a box from its first to its last pixel, both included.
        inclusive = boxes + [0.0, 0.0, 1.0, 1.0]

        def one_image(candidates: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
            boxes, scores, least, iou = candidates
            # This kernel takes a third of the time of TensorFlow's others, but gives no indices:
            # instead of its score, each candidate has its place among them, K for the best.
            places = tf.range(tf.size(scores), 0, -1)
            _, kept, _, count = tf.raw_ops.CombinedNonMaxSuppression(
                boxes=boxes[None, :, None],
                scores=tf.where(scores > least, tf.cast(places, tf.float32), 0.0)[None, :, None],
                max_output_size_per_class=most,
                max_total_size=most,
                iou_threshold=iou,
                score_threshold=0.0,
                clip_boxes=False,
            )
            # Rows past the last, of place 0, are to be rows that there are.
            indices = tf.size(scores) - tf.maximum(tf.cast(kept[0], tf.int32), 1)
            return indices, count[0]

        signature = (
            tf.TensorSpec([config.max_detections], tf.int32),
            tf.TensorSpec([], tf.int32),
        )
        images = tf.shape(scores)[:1]
        each = (tf.broadcast_to(of_all, images) for of_all in (score_threshold, nms_iou))
        candidates = (inclusive, scores, *each)
        kept, counts = tf.map_fn(one_image, candidates, fn_output_signature=signature)
        if config.max_detections is None:
            kept = kept[:, : tf.reduce_max(counts)]
        boxes, scores, landmarks = (
            tf.gather(rows, kept, batch_dims=1) for rows in (boxes, scores, landmarks)
        )
        return _zero_past(counts, boxes, scores, landmarks)


def _face_scores(predictions: Predictions) -> tf.Tensor:
    """Probability [B, A] of a face at each anchor."""
    return tf.nn.softmax(tf.cast(predictions.logits, tf.float32))[..., 1]


def _each(value: float | tf.Tensor) -> tf.Tensor:
    """What is said of each image or of all, float32 [B] or [1]."""
    return tf.reshape(tf.cast(value, tf.float32), [-1])


def _size(images: tf.Tensor) -> tf.Tensor:
    """Width and height of images, float32 [2]."""
    return tf.cast(tf.shape(images)[2:0:-1], tf.float32)


def _inside(points: tf.Tensor, region: tf.Tensor) -> tf.Tensor:
    """Which points [A, 2] lie in `x1 y1 x2 y2` [4], half open: [A]."""
    return tf.reduce_all((points >= region[:2]) & (points < region[2:]), axis=1)


def _zero_past(
    counts: tf.Tensor, boxes: tf.Tensor, scores: tf.Tensor, landmarks: tf.Tensor
) -> DetectionBatch:
    """The first `counts` [B] rows of each image, and zeros after them."""
    real = tf.sequence_mask(counts, tf.shape(scores)[1])

    def select(rows: tf.Tensor) -> tf.Tensor:
        mask = tf.reshape(real, tf.concat([tf.shape(real), [1] * (len(rows.shape) - 2)], 0))
        return tf.where(mask, rows, tf.zeros_like(rows))

    return DetectionBatch(select(boxes), select(scores), select(landmarks), counts)
