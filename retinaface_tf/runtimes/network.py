"""Runs a Keras network with its weights on images of any size."""

from typing import TYPE_CHECKING

from retinaface_tf.config import Config
from retinaface_tf.model import detector, tiling
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.structures import Array, DetectionBatch

if TYPE_CHECKING:
    import keras


class NetworkDetector(Detector):
    """Detects faces in RGB images with a Keras network.

    Images larger than `config.detector.max_pixels` are processed in tiles.

    Attributes:
        graph: network, decoding and NMS as one graph, which `export_model` saves.
    """

    at_once = True  # TensorFlow leaves cores idle during a pass

    def __init__(self, network: "keras.Model", config: Config, source: str = "a network"):
        """Takes a network from `build_network`."""
        self.config, self.source = config, source
        self.graph = detector.GraphDetector(network, config)
        self._tiled = tiling.TiledDetector(self.graph)

    def __call__(
        self,
        images: Array,
        scale: float | Array = 1.0,
        *,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
    ) -> DetectionBatch:
        """Detects faces as `Detector` does.

        Returns:
            TensorFlow tensors.
        """
        return self._tiled(images, scale, score_threshold=score_threshold, nms_iou=nms_iou)

    def candidates(self, images: Array, scale: float | Array = 1.0) -> DetectionBatch:
        """Returns the boxes above the score threshold before NMS, as in `model.detector`."""
        return self._tiled.candidates(images, scale)

    def suppress(self, candidates: DetectionBatch) -> DetectionBatch:
        """Suppresses overlapping candidates, as in `model.detector`."""
        return self._tiled.suppress(candidates)
