"""Runs ONNX models from export.py in onnxruntime (extra `onnx`); imports no TensorFlow."""

from pathlib import Path

import numpy as np

from retinaface_tf.data.scaling_host import undo_scale
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.extras import import_extra
from retinaface_tf.runtimes.heads import empty_batch
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.runtimes.locate import find_model
from retinaface_tf.runtimes.threads import thread_limit
from retinaface_tf.serving.metadata import Metadata
from retinaface_tf.structures import Array, DetectionBatch

METADATA = "retinaface_tf"  # the key of our metadata in the file's own
FATAL = 4  # log level of onnxruntime: errors are raised, and need not be logged as well


class OnnxDetector(Detector):
    """Detects faces in RGB images with an ONNX model."""

    def __init__(self, path: str | Path):
        """Loads a file, a version's folder, or the newest version of a model's folder.

        Raises:
            InputError: there is no such model, or onnxruntime is not installed.
        """
        onnxruntime = import_extra("onnxruntime", "onnx")
        file = find_model(path).path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL
        options.intra_op_num_threads = thread_limit() or 0  # 0 means as many as there are cores
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=onnxruntime.get_available_providers()
            )
            self._optional = {i.name for i in self._session.get_overridable_initializers()}
            metadata = self._session.get_modelmeta().custom_metadata_map[METADATA]
            self.metadata = Metadata.from_json(metadata)
            self.config = self.metadata.validated_config()
        except Exception as error:  # onnxruntime has a dozen error classes
            reason = one_line(error)
            raise InputError(f"{file}: not a model that export.py wrote: {reason}") from None
        self.source = str(file)

    def __call__(
        self,
        images: Array,
        scale: float | Array = 1.0,
        *,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
    ) -> DetectionBatch:
        """Detects faces as `Detector` does, but NMS counts pixels of `images`, whatever the scale.

        Returns:
            NumPy arrays. Images without pixels have no detections.

        Raises:
            InputError: the model takes no thresholds, as it was exported by an older version.
        """
        images = np.asarray(images)
        if not images.size:
            return empty_batch(len(images), self.config.detector.max_detections or 0)
        given = {"score_threshold": score_threshold, "nms_iou": nms_iou}
        inputs = {
            name: np.array([value], np.float32)
            for name, value in given.items()
            if value is not None
        }
        for name in inputs.keys() - self._optional:
            raise InputError(f"{self.source}: takes no {name}; export it again")
        answer = self._session.run(DetectionBatch._fields, inputs | {"images": images})
        return undo_scale(DetectionBatch(*answer), scale)
