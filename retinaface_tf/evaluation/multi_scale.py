"""Protocol `ms_flip`: an image at several sizes, each mirrored too, and a vote over all of it.

It is that of the MXNet original, insightface's detection/retinaface, in `test_widerface.py`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.sizes import bounded_scale, resize
from retinaface_tf.evaluation.voting import Rows, vote
from retinaface_tf.structures import MIRRORED_LANDMARKS, Detections

# The size that decides whether an image is too long; the others are multiples of its scale.
SHORT_SIDE, LONG_SIDE = 800, 1200


class MultiScaleFlip:
    """A detector that looks ten times: called as Detector is, for an image at its own size."""

    def __init__(self, detector: Any, config: Config):
        """Takes the passes' candidates from a detector.

        Args:
            detector: Detector or TiledDetector; both have `candidates`.
            config: `eval.short_sides` of the passes and `detector.nms_iou` of the vote.

        Raises:
            InputError: the detector answers after NMS only, as an exported model does.
        """
        if not hasattr(detector, "candidates"):
            raise InputError(
                "eval.protocol: ms_flip needs candidates before NMS, expected a network "
                "(--weights or --workdir), found an exported model"
            )
        self._candidates = detector.candidates
        self._config = config

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects faces.

        Args:
            images: uint8 [1, H, W, 3], RGB, upright.
            scale: pixels of this image per pixel of the image that the answer is about.
        """
        _, height, width, _ = images.shape
        size = np.array([width, height]) / float(scale)
        scales = pass_scales(height, width, self._config.eval.short_sides)
        passes = [each for scale in scales for each in self._passes(images[0], scale, size)]
        boxes, scores, landmarks = (np.concatenate(rows) for rows in zip(*passes, strict=True))
        voted = vote(boxes, scores, landmarks, self._config.detector.nms_iou)
        rows = (tf.constant(each, tf.float32)[None] for each in voted)
        return Detections(*rows, tf.constant([len(voted[0])]))

    def _passes(self, image: tf.Tensor, scale: float, size: Rows) -> Iterator[tuple[Rows, ...]]:
        """Candidates of an image at a scale and of its mirror image, in pixels of `size`."""
        resized = resize(image, scale)
        yield self._pass(resized, size)
        yield mirrored(*self._pass(tf.reverse(resized, axis=[1]), size), size[0])

    def _pass(self, image: tf.Tensor, size: Rows) -> tuple[Rows, Rows, Rows]:
        """Boxes [K, 4], scores [K] and landmarks [K, 5, 2] of an image, in pixels of `size`."""
        found = self._candidates(image[None])
        count = int(found.num_detections[0])
        boxes, scores, landmarks = (rows[0, :count].numpy() for rows in found[:3])
        # Not the scale: rounded to whole pixels, an image is a little narrower or wider than that.
        factor = size / [image.shape[1], image.shape[0]]
        return boxes * np.tile(factor, 2), scores, landmarks * factor


def pass_scales(height: int, width: int, short_sides: Sequence[int]) -> list[float]:
    """Factors that bring the short side to each length, the long one to 1.5 times it at most."""
    scale = float(bounded_scale(height, width, SHORT_SIDE, LONG_SIDE))
    return [short_side / SHORT_SIDE * scale for short_side in short_sides]


def mirrored(boxes: Rows, scores: Rows, landmarks: Rows, width: float) -> tuple[Rows, Rows, Rows]:
    """What was found in the mirror image of an image, as found in the image itself."""
    x1, y1, x2, y2 = boxes.T
    landmarks = landmarks[:, MIRRORED_LANDMARKS] * [-1, 1] + [width, 0]
    return np.stack([width - x2, y1, width - x1, y2], axis=1), scores, landmarks
