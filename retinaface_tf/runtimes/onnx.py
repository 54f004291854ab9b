"""Runs ONNX models of export.py by onnxruntime (needs the extra `onnx`)."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.extras import import_extra
from retinaface_tf.runtimes.heads import nothing
from retinaface_tf.structures import Detections

METADATA = "retinaface_tf"  # the key, in the file's own metadata, of what the model is
FATAL = 4  # of onnxruntime's log levels: what fails is raised, and need not be told twice


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
            reason = one_line(error)
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
