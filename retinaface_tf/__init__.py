"""RetinaFace on TensorFlow and Keras 3: one straight line from labels to detections.

    label.txt, images -> records -> decode+augment -> batches -> targets -> network -> loss -> step
    images -> network -> decode -> NMS -> detections -> AP | SavedModel | pictures

Shape letters used in every docstring: `B` batch, `A` anchors, `G` faces, `D` detections,
`H W C` image. Images are RGB uint8, upright; boxes are x1 y1 x2 y2.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow's C++ code logs notices, some as errors, that bury our own lines. Real failures raise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.2.0"

if TYPE_CHECKING:
    from retinaface_tf.api import TrainResult, evaluate, export_model, load_detector, train
    from retinaface_tf.config import Config
    from retinaface_tf.config_file import load_config
    from retinaface_tf.detections import Detections
    from retinaface_tf.errors import InputError, RetinaFaceError
    from retinaface_tf.evaluation.average_precision import evaluate_predictions
    from retinaface_tf.evaluation.result import Evaluation
    from retinaface_tf.model.network import build_network
    from retinaface_tf.runtimes.interface import DetectedFrame, Detector
    from retinaface_tf.structures import DetectionBatch

__all__ = [
    "Config",
    "DetectedFrame",
    "DetectionBatch",
    "Detections",
    "Detector",
    "Evaluation",
    "InputError",
    "RetinaFaceError",
    "TrainResult",
    "build_network",
    "evaluate",
    "evaluate_predictions",
    "export_model",
    "load_config",
    "load_detector",
    "train",
]

# Loaded on first use: reading a config must not wait for TensorFlow.
_HOMES = {
    "api": ("TrainResult", "evaluate", "export_model", "load_detector", "train"),
    "config": ("Config",),
    "config_file": ("load_config",),
    "detections": ("Detections",),
    "errors": ("InputError", "RetinaFaceError"),
    "evaluation.average_precision": ("evaluate_predictions",),
    "evaluation.result": ("Evaluation",),
    "model.network": ("build_network",),
    "runtimes.interface": ("DetectedFrame", "Detector"),
    "structures": ("DetectionBatch",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
