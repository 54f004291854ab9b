"""Detects at several sizes, also mirrored, and merges by voting: the protocol `ms_flip`.

Source: deepinsight/insightface, detection/retinaface/test_widerface.py.
"""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.scaling import resize
from retinaface_tf.evaluation.protocols import multiple_scales
from retinaface_tf.evaluation.voting import Rows, vote
from retinaface_tf.structures import MIRRORED_LANDMARKS, DetectionBatch


class MultiScaleFlip:
    """Detects faces in ten passes; called like a Detector, with an image at its own size."""

    def __init__(self, candidates: Callable[[tf.Tensor, float], DetectionBatch], config: Config):
        """Takes the part of another detector that comes before NMS.

        Args:
            candidates: the method of GraphDetector or TiledDetector.
            config: `eval.short_sides` for the passes and `detector.nms_iou` for the vote.
        """
        self._candidates = candidates
        self._config = config

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> DetectionBatch:
        """Detects faces.

        Args:
            images: uint8 [1, H, W, 3], RGB, upright.
            scale: pixels of `images` per pixel of the image to which detections refer.
        """
        _, height, width, _ = images.shape
        size = np.array([width, height]) / np.asarray(scale)
        factors = multiple_scales(height, width, self._config.eval.short_sides)
        passes = [each for factor in factors for each in self._passes(images[0], factor, size)]
        boxes, scores, landmarks = (np.concatenate(rows) for rows in zip(*passes, strict=True))
        voted = vote(boxes, scores, landmarks, self._config.detector.nms_iou)
        boxes, scores, landmarks = (tf.constant(rows, tf.float32)[None] for rows in voted)
        return DetectionBatch(boxes, scores, landmarks, tf.constant([len(voted[0])]))

    def _passes(self, image: tf.Tensor, factor: float, size: Rows) -> Iterator[tuple[Rows, ...]]:
        """Yields the candidates in the resized image and its mirror image, in pixels of `size`."""
        resized = resize(image, factor)
        yield self._pass(resized, size)
        yield mirrored(*self._pass(tf.reverse(resized, axis=[1]), size), size[0])

    def _pass(self, image: tf.Tensor, size: Rows) -> tuple[Rows, Rows, Rows]:
        """Finds boxes [K, 4], scores [K] and landmarks [K, 5, 2], in pixels of `size`."""
        found = self._candidates(image[None], 1.0)
        count = int(found.num_detections[0])
        boxes, scores, landmarks = (rows[0, :count].numpy() for rows in found[:3])
        # Not the requested factor, as the image was rounded to whole pixels.
        factor = size / [image.shape[1], image.shape[0]]
        return boxes * np.tile(factor, 2), scores, landmarks * factor


def mirrored(boxes: Rows, scores: Rows, landmarks: Rows, width: float) -> tuple[Rows, Rows, Rows]:
    """Maps detections in the mirror image of an image to the image itself."""
    x1, y1, x2, y2 = boxes.T
    landmarks = landmarks[:, MIRRORED_LANDMARKS] * [-1, 1] + [width, 0]
    return np.stack([width - x2, y1, width - x1, y2], axis=1), scores, landmarks
