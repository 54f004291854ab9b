"""ONNX: the very Detector that evaluation runs, network, decode and NMS, as one graph.

Needs the extra `onnx`.
"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from retinaface_tf.errors import InputError
from retinaface_tf.model.detector import Detector
from retinaface_tf.structures import Detections

FILE = "model.onnx"
METADATA = "retinaface_tf"  # the key, in the file's own metadata, of what the model is
CONVERTER_OPSET = 18  # the newest that tf2onnx writes
# Younger operator sets add nothing that is in the graph; this one loads in onnxruntime from 1.23 on.
OPSET = 23
FATAL = 4  # of onnxruntime's log levels: what fails is raised, and need not be told twice


def write_onnx(detector: Detector, folder: Path, metadata: dict[str, Any]) -> Path:
    """Writes `model.onnx`, which takes images of any size.

    Its input is `images` uint8 [B, H, W, 3], RGB, upright; its outputs are `boxes` [B, D, 4],
    `scores` [B, D], `landmarks` [B, D, 5, 2] and `num_detections` [B], as those of the SavedModel.
    """
    import onnx
    import tf2onnx
    from onnx import version_converter

    def detect(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return detector(images)._asdict()

    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_function(
        tf.function(detect), input_signature=[spec], opset=CONVERTER_OPSET
    )
    model = version_converter.convert_version(model, OPSET)
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata)})
    onnx.checker.check_model(model, full_check=True)
    file = folder / FILE
    onnx.save(model, file)
    return file


class OnnxDetector:
    """Runs an ONNX model by onnxruntime, to be called as the Detector that it was made of."""

    def __init__(self, path: str | Path):
        """Loads a file.

        Raises:
            InputError: it is no such model, or onnxruntime is not installed.
        """
        onnxruntime = _import_onnxruntime()
        self.path = Path(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=onnxruntime.get_available_providers()
            )
            self.metadata = json.loads(self._session.get_modelmeta().custom_metadata_map[METADATA])
        except Exception as error:  # onnxruntime has a dozen kinds of its own
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects as Detector does, but for NMS, which here counts pixels of `images`.

        Returns:
            Arrays of NumPy.
        """
        answer = self._session.run(Detections._fields, {"images": np.asarray(images)})
        boxes, scores, landmarks, counts = answer
        scale = np.float32(scale)
        return Detections(boxes / scale, scores, landmarks / scale, counts)


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            "onnxruntime is not installed: pip install 'retinaface-tf[onnx]'"
        ) from None
    return onnxruntime
