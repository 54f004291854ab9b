"""Exports for other runtimes than TensorFlow, each compared with its source."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.pipeline import explain_unreadable, training_batches
from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.model.detector import Detector
from retinaface_tf.serving import litert_model, onnx_model
from retinaface_tf.serving.export import check_limits
from retinaface_tf.serving.gate import Gate, open_gate
from retinaface_tf.serving.letterbox import letterbox
from retinaface_tf.serving.litert_detector import LiteRtDetector
from retinaface_tf.serving.metadata import describe, write_metadata
from retinaface_tf.serving.onnx_model import OnnxDetector
from retinaface_tf.serving.parity import OTHER_RUNTIME, DetectFile, Parity, compare, on_pixels
from retinaface_tf.serving.versions import check_kind, new_version
from retinaface_tf.structures import Detections

log = logging.getLogger(__name__)

REPRESENTATIVE_IMAGES = 100  # of training
# What AP may lose where numbers are rounded, in any of the three sets. On a few images it is rough:
# one face more or less counts much.
MOST_LOST = {"float16": 0.01, "int8": 0.03}


def export_onnx(detector: Detector, models: Path, *, source: str, keep: int | None = None) -> Path:
    """Writes the next version, `models/1/model.onnx`, and so on; arguments as `export_saved_model`.

    Raises:
        InputError: the detector has no limits, the folder has other models or cannot be written,
            or the extra `onnx` is not installed.
        DoesNotHold: the export answers otherwise than the detector; there is no new version then.
    """
    config = detector.config
    check_limits(config)
    check_kind(models, "*.onnx")
    with new_version(models, keep) as version, open_gate(on_pixels(detector), config) as gate:
        described = describe(detector.network, config, source, None)
        file = onnx_model.write_onnx(detector, version.folder, described)
        parity = gate.check("ONNX", on_pixels(OnnxDetector(file)), OTHER_RUNTIME)
        write_metadata(version.folder, {**described, "parity": parity._asdict()})
    return version.folder


def export_litert(
    detector: Detector, models: Path, *, source: str, keep: int | None = None
) -> Path:
    """Writes the next version, `models/1/model_float32.tflite` and its like, and so on.

    They see squares of `data.image_size` pixels, and are compared with what the detector answers
    about these. Without training images, from which int8 learns its ranges, there is no int8.

    Raises:
        InputError: the detector has no limits, the folder has other models or cannot be written,
            or the extra `litert` is not installed.
        DoesNotHold: float32 answers otherwise than the detector, or the others lose too much AP;
            there is no new version then.
    """
    config, side = detector.config, detector.config.data.image_size
    check_limits(config)
    check_kind(models, "*.tflite")
    images = list(_representative(config))
    with (
        new_version(models, keep) as version,
        open_gate(_on_squares(detector, side), config) as gate,
    ):
        described = describe(detector.network, config, source, None)
        parity = {}
        for file in litert_model.write_litert(
            detector.network, side, version.folder, described, images
        ):
            precision = file.stem.removeprefix("model_")
            parity[precision] = _check_litert(gate, precision, LiteRtDetector(file))._asdict()
        write_metadata(version.folder, {**described, "parity": parity})
    return version.folder


def _representative(config: Config) -> Iterator[NDArray[np.uint8]]:
    """Images of the training pipeline, uint8 [S, S, 3]."""
    try:
        records = training_set(config)
    except InputError as error:
        log.warning("no int8, whose ranges training images give: %s", error)
        return
    order: dict[str, Any] = {"batch": 1, "seed": config.train.seed}
    batches = training_batches(records, config.data, **order)
    try:
        for batch in batches.take(REPRESENTATIVE_IMAGES):
            yield batch.images[0].numpy()
    except tf.errors.OpError:
        many = REPRESENTATIVE_IMAGES + 8  # the pipeline runs ahead
        fault = explain_unreadable(records, **order, start=0, batches=many)
        if fault is None:
            raise
        raise fault from None


def _on_squares(detector: Detector, side: int) -> DetectFile:
    def answer(file: Path) -> Detections:
        square, scale = letterbox(decode_image(tf.io.read_file(str(file))), side)
        return detector(square[None], scale)

    return answer


def _check_litert(gate: Gate, precision: str, detect: Any) -> Parity:
    name, answer = f"LiteRT, {precision}", on_pixels(detect)
    if precision == "float32":
        return gate.check(name, answer, OTHER_RUNTIME)
    parity = compare(gate.reference, answer, gate.files, gate.config, OTHER_RUNTIME, gate.truth)
    log.info("%s: %s", name, parity)
    if parity.ap is None:
        log.warning("%s: not checked, as these images have no ground truth to tell AP by", name)
        return parity
    lost = max(parity.ap[0][key] - parity.ap[1][key] for key in parity.ap[0])
    if lost > MOST_LOST[precision]:
        raise DoesNotHold(
            f"{name}: loses {lost:.4f} of AP, expected at most {MOST_LOST[precision]}; no version "
            f"was written"
        )
    return parity
