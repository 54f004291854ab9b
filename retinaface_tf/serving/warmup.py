"""Writes the warm-up requests that TensorFlow Serving sends to a version before serving it.

TensorFlow chooses kernels and allocates memory at the first request of each kind; users should not
have to wait for that. The images are drawn, as they are distributed with the model.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from retinaface_tf.config import DetectorConfig
from retinaface_tf.data.synthetic.scenes import draw_image
from retinaface_tf.serving.metadata import EXTRA

WARMUP_FILE = "tf_serving_warmup_requests"  # the server looks for this name
SIZES = ((640, 480), (480, 640), (1024, 768))  # width and height in pixels

Inputs = dict[str, list[bytes] | np.ndarray]


def write_warmup(version: Path, model: str, config: DetectorConfig) -> None:
    """Writes the warm-up requests into a version's folder.

    Args:
        version: the folder of an exported model.
        model: name of the model on the server.
        config: thresholds, which the requests name, as some servers ignore defaults of inputs.
    """
    folder = version / EXTRA
    folder.mkdir(exist_ok=True)
    values = {"score_threshold": config.score_threshold, "nms_iou": config.nms_iou}
    thresholds = {name: np.array([value], np.float32) for name, value in values.items()}
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        for signature, inputs in _requests():
            if signature != "detect_bytes":
                inputs |= thresholds
            writer.write(_serialize(model, signature, inputs))


def _serialize(model: str, signature: str, inputs: Inputs) -> bytes:
    """Returns a request as a record of the server's prediction log."""
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=model, signature_name=signature),
        inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
    )
    log = prediction_log_pb2.PredictLog(request=request)
    return prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString()


def _requests() -> Iterator[tuple[str, Inputs]]:
    """Yields signatures and inputs: images of each size, all sizes together, and a non-image."""
    images = [_draw(*size) for size in SIZES]
    files = [cv2.imencode(".jpg", image[..., ::-1])[1].tobytes() for image in images]
    for file in files:
        yield "serving_default", {"image_bytes": [file]}
    yield "serving_default", {"image_bytes": [*files, b"not an image"]}
    yield "detect_bytes", {"image_bytes": files[:1]}
    yield "detect_images", {"images": images[0][None]}
    yield "detect_resized", {"image_bytes": files[:1]}
    yield "detect_resized", {"image_bytes": files}


def _draw(width: int, height: int) -> np.ndarray:
    random = np.random.default_rng(width)
    background = np.full((height, width, 3), 120, np.uint8)
    return draw_image(random, background, [height / 3, height / 5, height / 8])[0]
