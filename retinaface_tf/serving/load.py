"""An exported model, to be called as the Detector that it was made of."""

from pathlib import Path

import tensorflow as tf

from retinaface_tf.errors import InputError
from retinaface_tf.structures import Detections


class ExportedDetector:
    """Calls the signature `detect_images` of a SavedModel."""

    def __init__(self, path: str | Path):
        """Loads a version's folder, or the newest version of a model's folder.

        Raises:
            InputError: there is no such model, or it has no such signature.
        """
        self.path = _newest_version(Path(path))
        try:
            # Kept, since its variables go with it.
            self._model = tf.saved_model.load(str(self.path))
            self._detect = self._model.signatures["detect_images"]
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{path}: not a model that export.py wrote: {reason}") from None

    def __call__(self, images: tf.Tensor, scale: float | tf.Tensor = 1.0) -> Detections:
        """Detects as Detector does, but for NMS, which here counts pixels of `images`."""
        answer = self._detect(images=tf.convert_to_tensor(images))
        answer["boxes"] /= scale
        answer["landmarks"] /= scale
        return Detections(**answer)


def _newest_version(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; make a model with `python export.py --out ...`")
    versions = [child for child in path.iterdir() if child.name.isdigit()]
    return max(versions, key=lambda child: int(child.name), default=path)
