"""Runs SavedModels from export.py through their signatures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.scaling_host import undo_scale
from retinaface_tf.errors import ImageError, InputError, one_line
from retinaface_tf.files import check_literal
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.runtimes.locate import newest_version
from retinaface_tf.serving.metadata import Metadata
from retinaface_tf.structures import Array, DetectionBatch


class SavedModelDetector(Detector):
    """Detects faces in RGB images with a SavedModel."""

    def __init__(self, path: str | Path, config: Config | None = None):
        """Loads a version's folder, or the newest version of a model's folder.

        Args:
            path: of the folder.
            config: for a model that is being written; None reads it from the model's metadata.

        Raises:
            InputError: there is no such model, or it lacks the signatures.
        """
        if not Path(path).is_dir():
            raise InputError(
                f"{path}: no such folder; make a model with `python export.py --out ...`"
            )
        version = newest_version(Path(path))
        check_literal(version)
        try:
            # Kept, since its variables would go with it.
            self._model = tf.saved_model.load(str(version))
            # Functions, as TensorFlow in Python does not know the defaults of a signature's inputs.
            self._of_images, self._of_bytes = self._model.detect_images, self._model.serving_default
            if config is None:
                config = Metadata.load(version).validated_config()
        except Exception as error:  # TensorFlow has no exception class for damaged models
            reason = one_line(error)
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None
        self.config: Config = config
        self.source = str(version)

    def __call__(
        self,
        images: Array,
        scale: float | Array = 1.0,
        *,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
    ) -> DetectionBatch:
        """Detects faces as `Detector` does, but NMS counts pixels of `images`, whatever the scale.

        Raises:
            InputError: the images are larger than the model was exported for.
        """
        images = tf.convert_to_tensor(images)
        given = {"score_threshold": score_threshold, "nms_iou": nms_iou}
        thresholds = {name: tf.constant([x]) for name, x in given.items() if x is not None}
        answer = self._of_images(images, **thresholds)
        if tf.reduce_any(answer["error"] == int(ImageError.TOO_LARGE)):
            height, width = images.shape[1:3]
            raise InputError(
                f"{self.source}: an image of {width} x {height} pixels is larger than this model "
                f"was exported for (export.max_pixels, export.max_side)"
            )
        return undo_scale(_detections(answer), scale)

    def detect_bytes(self, images: Sequence[bytes]) -> DetectionBatch:
        """Detects faces in encoded images of any sizes; bytes that are not an image have none."""
        return _detections(self._of_bytes(tf.constant(images, tf.string)))


def _detections(answer: Mapping[str, tf.Tensor]) -> DetectionBatch:
    return DetectionBatch(*(answer[name] for name in DetectionBatch._fields))
