"""Runs a LiteRT model, to be called as the Detector that it was made of."""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import TypeAdapter

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import MEAN_RGB
from retinaface_tf.serving.litert_model import METADATA
from retinaface_tf.serving.raw_heads import anchors_of_square, detect_faces
from retinaface_tf.structures import Detections, Predictions


class LiteRtDetector:
    """Faces of images of any size, each brought to the model's fixed one.

    `D` is `max_detections` of the config that the model was made with.
    """

    def __init__(self, path: str | Path):
        """Loads a file.

        Raises:
            InputError: it is no such model, or LiteRT is not installed.
        """
        self.path = Path(path)
        try:
            interpreter = _interpreter(path)
            self.metadata = _read_metadata(self.path)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None
        self.config: Config = TypeAdapter(Config).validate_python(self.metadata["config"])
        self.side = int(interpreter.get_input_details()[0]["shape"][1])
        self._anchors = anchors_of_square(self.side, self.config.anchors)
        self._run = interpreter.get_signature_runner()

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects as Detector does, at the model's size.

        Returns:
            Arrays of NumPy.
        """
        images = np.asarray(images)
        most = self.config.detector.max_detections
        boxes = np.zeros([len(images), most, 4], np.float32)
        scores = np.zeros([len(images), most], np.float32)
        landmarks = np.zeros([len(images), most, 5, 2], np.float32)
        counts = np.zeros([len(images)], np.int32)
        for i, image in enumerate(images):
            found = self._detect(image, float(scale))
            counts[i] = count = found.num_detections
            boxes[i, :count], scores[i, :count], landmarks[i, :count] = found[:3]
        return Detections(boxes, scores, landmarks, counts)

    def _detect(self, image: NDArray[np.uint8], scale: float) -> Detections:
        square, factor = letterbox(image, self.side)
        heads = Predictions(**{name: rows[0] for name, rows in self._run(images=square[None]).items()})
        anchors = self.config.anchors
        pixels = self.side / factor / scale
        return detect_faces(heads, self._anchors, anchors.variances, pixels, self.config.detector)


def letterbox(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """Brings the longer side of an image [H, W, 3] to a length, and fills the rest.

    Returns:
        The image in the near corner of a square of the network's mean pixel, uint8
        [side, side, 3], and the factor it was resized by.
    """
    height, width = image.shape[:2]
    factor = side / max(height, width, 1)
    square = np.full([side, side, 3], MEAN_RGB, np.uint8)
    if image.size:
        size = [max(1, round(length * factor)) for length in (width, height)]
        # The mean of the pixels that become one where there are many.
        method = cv2.INTER_AREA if factor < 0.5 else cv2.INTER_LINEAR
        square[: size[1], : size[0]] = cv2.resize(image, size, interpolation=method)
    return square, factor


def _interpreter(path: str | Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise InputError("LiteRT is not installed: pip install 'retinaface-tf[litert]'") from None
    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    return interpreter


def _read_metadata(path: Path) -> dict[str, Any]:
    from ai_edge_litert.tools import flatbuffer_utils

    tree = flatbuffer_utils.read_model(str(path))
    buffers = {entry.name: entry.buffer for entry in tree.metadata or []}
    return json.loads(bytes(tree.buffers[buffers[METADATA.encode()]].data))
