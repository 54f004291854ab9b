"""Runs ONNX models of export.py by onnxruntime (needs the extra `onnx`); imports no TensorFlow."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.scaling_host import undo_scale
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.extras import import_extra
from retinaface_tf.runtimes.heads import empty_batch
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.runtimes.threads import thread_limit
from retinaface_tf.serving.metadata import Metadata
from retinaface_tf.structures import Array, DetectionBatch

METADATA = "retinaface_tf"  # the key, in the file's own metadata, of what the model is
FATAL = 4  # of onnxruntime's log levels: an error is raised, and need not be logged as well


class OnnxDetector(Detector):
    """Detects faces in RGB images by an ONNX model, whose thresholds were fixed at export."""

    def __init__(self, path: str | Path):
        """Loads a file.

        Raises:
            InputError: the file is no such model, or onnxruntime is not installed.
        """
        onnxruntime = import_extra("onnxruntime", "onnx")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL
        options.intra_op_num_threads = thread_limit() or 0  # 0 is as many as there are cores
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=onnxruntime.get_available_providers()
            )
            metadata = self._session.get_modelmeta().custom_metadata_map[METADATA]
            self.metadata = Metadata.from_json(metadata)
            self.config = self.metadata.validated_config()
        except Exception as error:  # onnxruntime has a dozen kinds of its own
            reason = one_line(error)
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None
        self.source = str(path)

    def __call__(
        self,
        images: Array,
        scale: float | Array = 1.0,
        *,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
    ) -> DetectionBatch:
        """Detects as `Detector` states, but NMS counts pixels of `images`, whatever the scale.

        Returns:
            Arrays of NumPy. Images without pixels have no detections.

        Raises:
            InputError: the thresholds ask for more than the model tells: a lower score, or another
                overlap.
        """
        limits = self.config.detector
        if nms_iou not in (None, limits.nms_iou) or (
            score_threshold is not None and score_threshold < limits.score_threshold
        ):
            raise InputError(
                f"{self.source}: fixed at export: score_threshold {limits.score_threshold}, which "
                f"may be raised, and nms_iou {limits.nms_iou}"
            )
        images = np.asarray(images)
        if not images.size:
            return empty_batch(len(images), limits.max_detections or 0)
        answer = DetectionBatch(*self._session.run(DetectionBatch._fields, {"images": images}))
        kept = answer if score_threshold is None else _above(answer, score_threshold)
        return undo_scale(kept, scale)


def _above(batch: DetectionBatch, score_threshold: float) -> DetectionBatch:
    """Leaves out lower scores; as they come last, they become zeros."""
    keep = batch.scores > score_threshold
    counts = keep.sum(axis=1, dtype=np.int32)

    def mask(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return rows * keep.reshape(*keep.shape, *[1] * (rows.ndim - 2))

    return DetectionBatch(mask(batch.boxes), mask(batch.scores), mask(batch.landmarks), counts)
