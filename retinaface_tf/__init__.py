"""RetinaFace on TensorFlow and Keras 3: one straight line from labels to detections.

    label.txt, images -> records -> decode+augment -> batches -> targets -> network -> loss -> step
    images -> network -> decode -> NMS -> Detections -> AP | SavedModel | pictures

Shape letters used in every docstring: `B` batch, `A` anchors, `G` faces, `D` detections,
`H W C` image. Images are RGB uint8, upright; boxes are x1 y1 x2 y2.
"""

import importlib
import os
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow's C++ code logs notices, even as errors, that bury our own lines; what fails, raises.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"

# Loaded on first use: reading a config must not wait for TensorFlow.
_HOMES = {
    "load_config": "retinaface_tf.config_file",
    "Config": "retinaface_tf.config",
    "InputError": "retinaface_tf.errors",
    "build_network": "retinaface_tf.model.network",
    "Detector": "retinaface_tf.model.detector",
    "Detections": "retinaface_tf.structures",
    "evaluate_predictions": "retinaface_tf.evaluation.average_precision",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
