"""SavedModel: the very Detector that evaluation runs, behind two signatures."""

import shutil
import tempfile
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import DetectorConfig
from retinaface_tf.data.decode import decode_image
from retinaface_tf.errors import InputError
from retinaface_tf.model.detector import Detector
from retinaface_tf.structures import Detections


class Service(tf.Module):
    """The signatures of an exported detector.

    Both answer `boxes` [B, D, 4], `scores` [B, D], `landmarks` [B, D, 5, 2], `num_detections` [B]
    in pixels of the image as sent, turned upright.
    """

    def __init__(self, detector: Detector):
        super().__init__(name="service")
        self.detector = detector

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serving_default(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded images [B] of any sizes, each detected by itself."""
        most = self.detector.config.detector.max_detections
        signature = Detections(
            boxes=tf.TensorSpec([most, 4], tf.float32),
            scores=tf.TensorSpec([most], tf.float32),
            landmarks=tf.TensorSpec([most, 5, 2], tf.float32),
            num_detections=tf.TensorSpec([], tf.int32),
        )

        def one_image(data: tf.Tensor) -> Detections:
            detections = self.detector(decode_image(data)[None])
            return Detections(*(part[0] for part in detections))

        # One at a time: the network uses all cores, and memory stays that of one image.
        return tf.map_fn(
            one_image, image_bytes, fn_output_signature=signature, parallel_iterations=1
        )._asdict()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")])
    def detect_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """RGB images uint8 [B, H, W, 3], upright."""
        return self.detector(images)._asdict()


def export_saved_model(detector: Detector, models: Path) -> Path:
    """Writes the next version of a model: `models/1`, then `models/2`, and so on.

    It is written beside its place and renamed, so that a server never loads a half.

    Raises:
        InputError: the detector has no limits, or the folder cannot be written.
    """
    _check_limits(detector.config.detector)
    service = Service(detector)
    try:
        models.mkdir(parents=True, exist_ok=True)
        # A name that is no number, which servers pass over.
        scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=models))
    except OSError as error:
        raise InputError(f"{models}: cannot write a model there ({error.strerror})") from None
    try:
        tf.saved_model.save(
            service,
            str(scratch),
            signatures={
                "serving_default": service.serving_default,
                "detect_images": service.detect_images,
            },
        )
        version = models / str(_next_version(models))
        scratch.chmod(0o755)
        return scratch.rename(version)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _next_version(models: Path) -> int:
    return max((int(path.name) for path in models.iterdir() if path.name.isdigit()), default=0) + 1


def _check_limits(config: DetectorConfig) -> None:
    if config.top_k is None or config.max_detections is None:
        raise InputError(
            "detector.top_k and detector.max_detections: expected numbers, as a served answer has "
            f"a fixed size, found {config.top_k} and {config.max_detections}"
        )
