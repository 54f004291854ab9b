"""Finds faces of every size by several passes over an image, in the graph.

`runtimes.all_sizes` does the same in NumPy, for models without TensorFlow.
"""

import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from retinaface_tf.data.scaling import halve
from retinaface_tf.geometry.passes import Plan, plan_passes, select_detections
from retinaface_tf.model.tiling import COLUMNS, TiledDetector, from_rows, to_rows
from retinaface_tf.structures import DetectionBatch

_IMAGE = tf.TensorSpec([None, None, 3], tf.uint8)
_SCALAR = tf.TensorSpec([], tf.float32)


class AllSizesDetector(tf.Module):
    """Detects faces of every size in images of any size, with the memory of two tiles."""

    def __init__(self, tiled: TiledDetector):
        super().__init__(name="all_sizes_detector")
        self.tiled = tiled

    @tf.function(autograph=False, input_signature=[_IMAGE, _SCALAR, _SCALAR])
    def __call__(
        self, image: tf.Tensor, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        """Detects faces in one image.

        Args:
            image: uint8 [H, W, 3], RGB, upright, of at least one pixel.
            score_threshold: float32 scalar.
            nms_iou: float32 scalar.

        Returns:
            A batch of one.
        """
        height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
        config = self.tiled.detector.config
        numbers = plan_passes(height, width, config, xp=tnp)
        plan = Plan(*(tf.cast(number, tf.int32) for number in numbers))
        # One pass needs no merging; an image that fits goes through the network at once.
        fits = height * width <= config.detector.max_pixels
        return tf.cond(
            fits & (plan.last == 0),
            lambda: self.tiled.detector(
                image[None], score_threshold=score_threshold, nms_iou=nms_iou
            ),
            lambda: self._merged(image, plan, score_threshold, nms_iou),
        )

    def _merged(
        self, image: tf.Tensor, plan: Plan, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> DetectionBatch:
        """Returns the detections of all passes that are to be believed."""
        config = self.tiled.detector.config
        # A face may be confirmed by a detection below the requested score.
        threshold = tf.minimum(score_threshold, config.detector.score_threshold)
        rows, passes = self._of_passes(image, plan, threshold, nms_iou)
        kept = select_detections(rows[:, :4], rows[:, 4], passes, plan, config, xp=tnp)
        # NMS needs a row: a row of zeros comes last, below every threshold.
        rows = tf.pad(tf.boolean_mask(rows, kept), [[0, 1], [0, 0]])
        candidates = from_rows(rows, tf.shape(rows)[0] - 1)
        return self.tiled.suppress(candidates, score_threshold=score_threshold, nms_iou=nms_iou)

    def _of_passes(
        self, image: tf.Tensor, plan: Plan, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the detections [N, 15] of all passes, and the pass [N] that each is from."""

        def add(
            number: tf.Tensor, image: tf.Tensor, rows: tf.Tensor, passes: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            image = tf.cond(number > 0, lambda: halve(image), lambda: image)
            found = tf.cond(
                number >= plan.first,
                lambda: self._of_pass(image, number, score_threshold, nms_iou),
                lambda: rows[:0],
            )
            rows = tf.concat([rows, found], axis=0)
            passes = tf.concat([passes, tf.fill([tf.shape(found)[0]], number)], axis=0)
            return number + 1, image, rows, passes

        *_, rows, passes = tf.while_loop(
            lambda number, *_: number <= plan.last,
            add,
            (tf.constant(0), image, tf.zeros([0, COLUMNS]), tf.zeros([0], tf.int32)),
            shape_invariants=(
                *(tf.TensorShape([]), tf.TensorShape([None, None, 3])),
                *(tf.TensorShape([None, COLUMNS]), tf.TensorShape([None])),
            ),
            parallel_iterations=2,  # a single pass leaves cores idle
        )
        return rows, passes

    def _of_pass(
        self, image: tf.Tensor, number: tf.Tensor, score_threshold: tf.Tensor, nms_iou: tf.Tensor
    ) -> tf.Tensor:
        """Returns the detections [N, 15] in an image halved `number` times."""
        found = self.tiled.detect_image(image, score_threshold, nms_iou)
        factor = 2.0 ** tf.cast(number, tf.float32)
        return to_rows(found) * tf.concat([tf.fill([4], factor), [1.0], tf.fill([10], factor)], 0)
