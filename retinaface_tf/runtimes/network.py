"""Runs a network with its weights, as it was trained, on images of any size."""

from typing import TYPE_CHECKING

from retinaface_tf.config import Config
from retinaface_tf.model import detector, tiling
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.structures import Array, DetectionBatch

if TYPE_CHECKING:
    import keras


class NetworkDetector(Detector):
    """Detects faces in RGB images by a Keras network.

    Images larger than `config.detector.max_pixels` are detected in tiles.

    Attributes:
        graph: network, decoding and NMS as one graph, which is what `export_model` saves.
    """

    def __init__(self, network: "keras.Model", config: Config, source: str = "a network"):
        """Takes a network of `build_network`."""
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
        """Detects as `Detector` states.

        Returns:
            Tensors of TensorFlow.
        """
        return self._tiled(images, scale, score_threshold=score_threshold, nms_iou=nms_iou)

    def candidates(self, images: Array, scale: float | Array = 1.0) -> DetectionBatch:
        """Returns what is above the score threshold before NMS, as `model.detector` has it."""
        return self._tiled.candidates(images, scale)

    def suppress(self, candidates: DetectionBatch) -> DetectionBatch:
        """Suppresses overlapping candidates, as `model.detector` has it."""
        return self._tiled.suppress(candidates)
