"""A detector whose answer can be told by looking at the image, without TensorFlow."""

import numpy as np

from retinaface_tf.config import Config
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.structures import DetectionBatch


class Brightness(Detector):
    """Finds the whole image, as probable as it is bright."""

    def __init__(self):
        self.config, self.source = Config(), "made up"

    def __call__(self, images, scale=1.0, *, score_threshold=None, nms_iou=None):
        count, height, width, _ = images.shape
        return DetectionBatch(
            boxes=np.tile(np.array([0, 0, width, height], np.float32), (count, 1, 1)),
            scores=images.mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / 255,
            landmarks=np.zeros((count, 1, 5, 2), np.float32),
            num_detections=np.ones(count, np.int32),
        )
