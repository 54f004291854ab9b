"""Times detection with each NMS kernel, and with the exported model.

Weights are random, with a score threshold at which as many candidates reach NMS as in a crowd.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gpu_parts.clock import measure, tensorflow_memory
from gpu_parts.rows import Row
from gpu_parts.setting import Case, Setting, training_config
from retinaface_tf.samples import GRACE_HOPPER

if TYPE_CHECKING:
    from retinaface_tf.model.detector import GraphDetector

# Counts the faces of each image, given inputs and a score threshold [1].
Count = Callable[[Any, Any], Any]

SIZES = ((640, 480), (1024, 768), (1920, 1080))  # width and height
SMOKE_SIZES = ((64, 48), (96, 64))
BATCHES = (1, 8)
CANDIDATES = 2000  # per image, above the score threshold


def detect_by_each_kernel(setting: Setting) -> Iterator[Row]:
    """Measures MobileNet's detection from pixels, and compares what each NMS kernel keeps."""
    from gpu_parts.nms_kernels import KERNELS
    from retinaface_tf.model.detector import GraphDetector

    first = _detector("mobilenet025", setting)
    for kernel, replaced in KERNELS.items():
        detector = GraphDetector(first.network, first.config)
        with replaced():  # until it is traced
            detector(np.zeros((1, 32, 32, 3), np.uint8))
        count = _counter(detector)
        for images, threshold in _requests(first, setting):
            row = _measure(kernel, count, images, images, threshold, setting)
            same = _find_the_same(first, detector, images, threshold)
            yield replace(row, note="same boxes" if same else "other boxes")


def detect_by_exported_model(backbone: str, setting: Setting) -> Iterator[Row]:
    """Measures the SavedModel: all passes from the bytes of a JPEG, one pass from pixels."""
    import tensorflow as tf

    from retinaface_tf.export.formats import export_model

    detector = _detector(backbone, setting)
    model = tf.saved_model.load(str(export_model(detector, setting.folder / backbone)))
    for images, threshold in _requests(detector, setting):
        jpeg = cv2.imencode(".jpg", images[0, ..., ::-1])[1].tobytes()
        for signature, inputs in (
            ("serving_default", [jpeg] * len(images)),
            ("detect_images", images),
        ):
            count = _signature_counter(getattr(model, signature))
            name = f"{backbone}, {signature}"
            yield _measure(name, count, inputs, images, threshold, setting)


def _counter(detector: "GraphDetector") -> Count:
    """Returns the function that detects and counts the faces of each image [B]."""
    return lambda images, threshold: detector(images, score_threshold=threshold).num_detections


def _signature_counter(signature: Callable[..., Any]) -> Count:
    return lambda inputs, threshold: signature(inputs, score_threshold=threshold)["num_detections"]


def _measure(
    name: str, count: Count, inputs: Any, images: Any, threshold: Any, setting: Setting
) -> Row:
    """Measures a function on inputs made from `images` [B, H, W, 3]."""
    import tensorflow as tf

    on_host = tf.constant(inputs)
    timing = measure(lambda: count(on_host, threshold)[0], setting.seconds / 2, tensorflow_memory())
    batch, height, width, _ = images.shape
    name = f"{name}, {width}x{height}, {batch}"
    return Row(name, batch, timing.ms, peak_mib=timing.peak_mib)


def _detector(backbone: str, setting: Setting) -> "GraphDetector":
    from retinaface_tf.model.detector import GraphDetector
    from retinaface_tf.model.network import build_network

    config = training_config(Case(backbone, "float32", 1), setting)
    # Random weights find nothing above 1, so that the parity check of an export passes.
    config = replace(
        config,
        detector=replace(config.detector, score_threshold=1.0),
        export=replace(config.export, parity_images=1),
    )
    return GraphDetector(build_network(config), config)


def _threshold(detector: "GraphDetector", photograph: Any) -> Any:
    """Returns the score [1] that CANDIDATES anchors of the photograph exceed."""
    import tensorflow as tf

    logits = detector.network(photograph[None], training=False)["logits"]
    scores = np.sort(tf.nn.softmax(logits)[0, :, 1].numpy())
    return tf.constant([scores[-min(CANDIDATES + 1, len(scores))]])


def _find_the_same(
    one: "GraphDetector", other: "GraphDetector", images: Any, threshold: Any
) -> bool:
    boxes = [each(images, score_threshold=threshold).boxes.numpy() for each in (one, other)]
    return boxes[0].shape == boxes[1].shape and np.allclose(*boxes, atol=1e-2)


def _requests(detector: "GraphDetector", setting: Setting) -> Iterator[tuple[Any, Any]]:
    """Yields images [B, H, W, 3] of each size and the score threshold [1] for them."""
    for size in SMOKE_SIZES if setting.smoke else SIZES:
        photograph = cv2.resize(cv2.imread(str(GRACE_HOPPER))[..., ::-1], size)
        threshold = _threshold(detector, photograph)
        for batch in BATCHES:
            yield np.stack([photograph] * batch), threshold
