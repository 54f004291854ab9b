"""Runs LiteRT models from export.py (needs the extra `litert`); imports no TensorFlow."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.config import DetectorConfig
from retinaface_tf.data.scaling_host import fill, letterbox
from retinaface_tf.detections import Detections
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.extras import import_extra
from retinaface_tf.geometry.passes import Plan, plan_passes
from retinaface_tf.runtimes.all_sizes import detect_all_sizes
from retinaface_tf.runtimes.heads import Floats, anchors_of_square, detect_faces, empty_batch
from retinaface_tf.runtimes.interface import Detector, with_thresholds
from retinaface_tf.runtimes.threads import thread_limit
from retinaface_tf.serving.metadata import Metadata
from retinaface_tf.structures import Array, DetectionBatch, Predictions

OWN_SCALE = np.ones(2, np.float32)
METADATA = "retinaface_tf"  # the name of our metadata in the file's own


class LiteRtDetector(Detector):
    """Detects faces in RGB images with a LiteRT model, resizing each to the model's fixed size."""

    def __init__(self, path: str | Path):
        """Loads a file.

        Raises:
            InputError: the file is not such a model, or LiteRT is not installed.
        """
        try:
            interpreter = _interpreter(path)
            self.metadata = _read_metadata(path)
            self.config = self.metadata.validated_config()
        except (OSError, ValueError, KeyError) as error:
            reason = one_line(error)
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None
        self.source = str(path)
        self.side = int(interpreter.get_input_details()[0]["shape"][1])
        self._anchors = anchors_of_square(self.side, self.config.anchors)
        self._run = interpreter.get_signature_runner()
        self._lock = threading.Lock()  # an interpreter holds the tensors of a single call

    def __call__(
        self,
        images: Array,
        scale: float | Array = 1.0,
        *,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
    ) -> DetectionBatch:
        """Detects faces as `Detector` does, at the model's size.

        Returns:
            NumPy arrays. Images without pixels have no detections.
        """
        limits = with_thresholds(self.config.detector, score_threshold, nms_iou)
        images = np.asarray(images)
        batch = empty_batch(len(images), limits.max_detections or 0)
        scales = np.broadcast_to(np.asarray(scale, np.float32), [len(images), 2])
        for i, image in enumerate(images if images.size else []):
            faces = self._detect(image, scales[i], limits)
            batch.num_detections[i] = len(faces)
            batch.boxes[i, : len(faces)] = faces.boxes
            batch.scores[i, : len(faces)] = faces.scores
            batch.landmarks[i, : len(faces)] = faces.landmarks
        return batch

    def detect_together(
        self, images: NDArray[np.uint8], nms_iou: float | None = None
    ) -> list[Detections]:
        """Detects faces as `Detector` does; the passes are made over the square."""
        limits = with_thresholds(self.config.detector, None, nms_iou)
        squares, factors = zip(*(letterbox(image, self.side) for image in images), strict=True)

        def one_pass(squares: NDArray[np.uint8]) -> list[Detections]:
            filled = (fill(square, self.side) for square in squares)
            return [self._detect_square(square, OWN_SCALE, limits) for square in filled]

        plan = self.plan_passes(*images.shape[1:3])
        found = detect_all_sizes(one_pass, np.stack(squares), plan, self.config, limits)
        return [faces.scaled(1 / factor) for faces, factor in zip(found, factors, strict=True)]

    def plan_passes(self, height: int, width: int) -> Plan:
        """Plans the passes over the square; the first is at the model's size."""
        return plan_passes(height, width, self.config, scale=self.side / max(height, width))

    def _detect(
        self, image: NDArray[np.uint8], scale: Floats, limits: DetectorConfig
    ) -> Detections:
        square, factor = letterbox(image, self.side)
        return self._detect_square(square, factor * scale, limits)

    def _detect_square(
        self, square: NDArray[np.uint8], scale: Floats, limits: DetectorConfig
    ) -> Detections:
        with self._lock:
            heads = self._run(images=square[None])
        return detect_faces(
            Predictions(**{name: rows[0] for name, rows in heads.items()}),
            self._anchors,
            self.config.anchors.variances,
            np.float32(self.side) / scale,
            limits,
        )


def _interpreter(path: str | Path) -> Any:
    litert = import_extra("ai_edge_litert.interpreter", "litert")
    interpreter = litert.Interpreter(str(path), num_threads=thread_limit() or os.cpu_count())
    interpreter.allocate_tensors()
    return interpreter


def _read_metadata(path: str | Path) -> Metadata:
    flatbuffer_utils = import_extra("ai_edge_litert.tools.flatbuffer_utils", "litert")
    tree = flatbuffer_utils.read_model(str(path))
    buffers = {entry.name: entry.buffer for entry in tree.metadata or []}
    return Metadata.from_json(bytes(tree.buffers[buffers[METADATA.encode()]].data))
