"""The detector: network, decode, NMS. Evaluation calls it and export saves it, the same object."""

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.coder import decode_boxes, decode_landmarks
from retinaface_tf.structures import Detections, Predictions


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

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects faces.

        Args:
            images: uint8 [B, H, W, 3], RGB, upright.
            scale: pixels of these images per pixel of the image that the answer is about, where
                they were resized; NMS counts inclusive pixels, so it has to know.
        """
        return self._detect(tf.convert_to_tensor(images), tf.cast(scale, tf.float32))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8),
            tf.TensorSpec([], tf.float32),
        ]
    )
    def _detect(self, images: tf.Tensor, scale: tf.Tensor) -> Detections:
        predictions = Predictions(**self.network(images, training=False))
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        anchors = make_anchors(height, width, self.config.anchors)
        size = tf.cast(tf.stack([width, height]), tf.float32) / scale
        scores, best = self._candidates(tf.cast(predictions.logits, tf.float32))
        anchors = tf.gather(anchors, best)
        boxes, landmarks = (
            tf.gather(tf.cast(rows, tf.float32), best, batch_dims=1)
            for rows in (predictions.boxes, predictions.landmarks)
        )
        variances = self.config.anchors.variances
        boxes = decode_boxes(boxes, anchors, variances) * tf.tile(size, [2])
        landmarks = decode_landmarks(landmarks, anchors, variances) * size
        return self._suppress(boxes, scores, landmarks)

    def _candidates(self, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Scores [B, K] and anchors [B, K] of what NMS has to look at, best first."""
        scores = tf.nn.softmax(logits)[..., 1]
        hot = tf.math.count_nonzero(
            scores > self.config.detector.score_threshold, axis=1, dtype=tf.int32
        )
        # At least one, so that an image without faces needs no path of its own.
        wanted = tf.maximum(tf.reduce_max(hot), 1)
        if self.config.detector.top_k is not None:
            wanted = tf.minimum(wanted, self.config.detector.top_k)
        return tuple(tf.math.top_k(scores, wanted))

    def _suppress(self, boxes: tf.Tensor, scores: tf.Tensor, landmarks: tf.Tensor) -> Detections:
        """Greedy NMS per image; rows past the last detection are zero."""
        config = self.config.detector
        most = config.max_detections or tf.shape(scores)[1]
        # The originals count a box from its first to its last pixel, both included.
        inclusive = boxes + [0.0, 0.0, 1.0, 1.0]

        def one_image(candidates: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            kept, _, count = tf.raw_ops.NonMaxSuppressionV5(
                boxes=candidates[0],
                scores=candidates[1],
                max_output_size=most,
                iou_threshold=config.nms_iou,
                score_threshold=config.score_threshold,
                soft_nms_sigma=0.0,
                pad_to_max_output_size=True,
            )
            return kept, count

        signature = (
            tf.TensorSpec([config.max_detections], tf.int32),
            tf.TensorSpec([], tf.int32),
        )
        kept, counts = tf.map_fn(one_image, (inclusive, scores), fn_output_signature=signature)
        if config.max_detections is None:
            kept = kept[:, : tf.reduce_max(counts)]
        real = tf.sequence_mask(counts, tf.shape(kept)[1])

        def select(rows: tf.Tensor) -> tf.Tensor:
            rows = tf.gather(rows, kept, batch_dims=1)
            mask = tf.reshape(real, tf.concat([tf.shape(real), [1] * (len(rows.shape) - 2)], 0))
            return tf.where(mask, rows, tf.zeros_like(rows))

        return Detections(select(boxes), select(scores), select(landmarks), counts)
