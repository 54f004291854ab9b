"""Runs a LiteRT model, to be called as the Detector that it was made of."""

import json
import os
from pathlib import Path
from typing import Any

import tensorflow as tf
from pydantic import TypeAdapter

from retinaface_tf.config import Config
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.extras import import_extra
from retinaface_tf.runtimes.heads import anchors_of_square, detect_faces, nothing
from retinaface_tf.structures import Detections, Predictions

METADATA = "retinaface_tf"  # the name, in the file's own metadata, of what the model is


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
            reason = one_line(error)
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None
        self.config: Config = TypeAdapter(Config).validate_python(self.metadata["config"])
        self._most = self.metadata["config"]["detector"]["max_detections"]
        self.side = int(interpreter.get_input_details()[0]["shape"][1])
        self._anchors = anchors_of_square(self.side, self.config.anchors)
        self._run = interpreter.get_signature_runner()

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects as Detector does, at the model's size.

        Returns:
            Arrays of NumPy. Images without pixels have no detections.
        """
        images = tf.convert_to_tensor(images)
        found = nothing(len(images), self._most)
        for i, image in enumerate(images if tf.size(images) else []):
            *parts, count = self._detect(image, float(scale))
            found.num_detections[i] = count
            for rows, part in zip(found, parts, strict=False):
                rows[i, :count] = part
        return found

    def _detect(self, image: tf.Tensor, scale: float) -> Detections:
        square, factor = letterbox(image, self.side)
        heads = self._run(images=square[None].numpy())
        return detect_faces(
            Predictions(**{name: rows[0] for name, rows in heads.items()}),
            self._anchors,
            self.config.anchors.variances,
            self.side / (float(factor) * scale),
            self.config.detector,
        )


def _interpreter(path: str | Path) -> Any:
    litert = import_extra("ai_edge_litert.interpreter", "litert")
    interpreter = litert.Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    return interpreter


def _read_metadata(path: Path) -> dict[str, Any]:
    flatbuffer_utils = import_extra("ai_edge_litert.tools.flatbuffer_utils", "litert")
    tree = flatbuffer_utils.read_model(str(path))
    buffers = {entry.name: entry.buffer for entry in tree.metadata or []}
    return json.loads(bytes(tree.buffers[buffers[METADATA.encode()]].data))
