"""ONNX: the very Detector that evaluation runs, network, decode and NMS, as one graph.

Needs the extra `onnx`.
"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.model.detector import Detector
from retinaface_tf.serving.extras import import_extra
from retinaface_tf.serving.raw_heads import nothing
from retinaface_tf.structures import Detections

FILE = "model.onnx"
METADATA = "retinaface_tf"  # the key, in the file's own metadata, of what the model is
CONVERTER_OPSET = 18  # the newest that tf2onnx writes
# Younger ones have nothing that this graph needs; this one loads in onnxruntime from 1.23 on.
OPSET = 23
FATAL = 4  # of onnxruntime's log levels: what fails is raised, and need not be told twice


def write_onnx(detector: Detector, folder: Path, metadata: dict[str, Any]) -> Path:
    """Writes `model.onnx`, which takes images of any size.

    Its input is `images` uint8 [B, H, W, 3], RGB, upright; its outputs are `boxes` [B, D, 4],
    `scores` [B, D], `landmarks` [B, D, 5, 2] and `num_detections` [B], as those of the SavedModel.
    """
    onnx, tf2onnx = import_extra("onnx", "onnx"), import_extra("tf2onnx", "onnx")
    version_converter = import_extra("onnx.version_converter", "onnx")

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
        onnxruntime = import_extra("onnxruntime", "onnx")
        self.path = Path(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=onnxruntime.get_available_providers()
            )
            metadata = self._session.get_modelmeta().custom_metadata_map[METADATA]
            self.metadata = json.loads(metadata)
        except Exception as error:  # onnxruntime has a dozen kinds of its own
            reason = one_line(error)[:120]
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None
        self._most = self.metadata["config"]["detector"]["max_detections"]

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects as Detector does, but for NMS, which here counts pixels of `images`.

        Returns:
            Arrays of NumPy. Images without pixels have no detections.
        """
        images, scale = np.asarray(images), np.float32(scale)
        if not images.size:
            return nothing(len(images), self._most)
        answer = self._session.run(Detections._fields, {"images": images})
        boxes, scores, landmarks, counts = answer
        return Detections(boxes / scale, scores, landmarks / scale, counts)
