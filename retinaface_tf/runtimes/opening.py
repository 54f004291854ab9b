"""Detectors by their source: a checkpoint, a file of weights, an exported model."""

from pathlib import Path
from typing import Any

from retinaface_tf.config import Config
from retinaface_tf.model.detector import Detector
from retinaface_tf.model.tiling import TiledDetector
from retinaface_tf.runtimes.litert import LiteRtDetector
from retinaface_tf.runtimes.onnx import OnnxDetector
from retinaface_tf.runtimes.run_folder import load_network
from retinaface_tf.runtimes.saved_model import ExportedDetector

# Of an exported model by the suffix of its file; a SavedModel is a folder.
RUNTIMES: dict[str, Any] = {".onnx": OnnxDetector, ".tflite": LiteRtDetector}


def open_detector(config: Config, saved_model: str | None = None) -> tuple[str, Any]:
    """A detector, and what it was made of in words.

    Args:
        config: of the network, its thresholds and its weights.
        saved_model: an exported model, which carries all of these itself: the folder of a
            SavedModel, or a file of ONNX or LiteRT.

    Raises:
        InputError: there are no such weights, or no such model.
    """
    if saved_model is not None:
        exported = RUNTIMES.get(Path(saved_model).suffix, ExportedDetector)(saved_model)
        return str(exported.path), exported
    source, network = load_network(config)
    return source, TiledDetector(Detector(network, config))
