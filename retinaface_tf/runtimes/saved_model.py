"""An exported model, to be called as the Detector that it was made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from retinaface_tf.errors import ImageError, InputError, one_line
from retinaface_tf.structures import Detections


class ExportedDetector:
    """Calls the signatures of a SavedModel, with the thresholds that it was exported with."""

    def __init__(self, path: str | Path):
        """Loads a version's folder, or the newest version of a model's folder.

        Raises:
            InputError: there is no such model, or it has no such signatures.
        """
        self.path = _newest_version(Path(path))
        try:
            # Kept, since its variables go with it.
            self._model = tf.saved_model.load(str(self.path))
            # Functions, as TensorFlow in Python knows no defaults of a signature's inputs.
            self._of_images, self._of_bytes = self._model.detect_images, self._model.serving_default
        except (OSError, ValueError, AttributeError, tf.errors.OpError) as error:
            reason = one_line(error)
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects as Detector does, but for NMS, which here counts pixels of `images`.

        Raises:
            InputError: the images are larger than the model was exported for.
        """
        images = tf.convert_to_tensor(images)
        answer = self._of_images(images)
        if tf.reduce_any(answer["error"] == int(ImageError.TOO_LARGE)):
            height, width = images.shape[1:3]
            raise InputError(
                f"{self.path}: an image of {width} x {height} pixels is larger than this model was "
                f"exported for (detector.max_pixels, export.max_side)"
            )
        detections = _detections(answer)
        return detections._replace(
            boxes=detections.boxes / scale, landmarks=detections.landmarks / scale
        )

    def detect_bytes(self, images: Sequence[bytes]) -> Detections:
        """Detects on encoded images of any sizes; one that is none has no detections."""
        return _detections(self._of_bytes(tf.constant(images, tf.string)))


def _detections(answer: Mapping[str, tf.Tensor]) -> Detections:
    return Detections(*(answer[name] for name in Detections._fields))


def _newest_version(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; make a model with `python export.py --out ...`")
    return versions(path)[-1] if versions(path) else path


def versions(models: Path) -> list[Path]:
    """The versions of a model, the oldest first."""
    found = [path for path in models.iterdir() if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))
