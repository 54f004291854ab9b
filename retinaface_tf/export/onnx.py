"""Writes ONNX: network, decode and NMS of a detector as one graph.

Needs the extra `onnx`.
"""

import logging
from pathlib import Path
from typing import Any

import tensorflow as tf

from retinaface_tf.export.parity import (
    OTHER_RUNTIME,
    ParityCheck,
    decode_and_detect,
    decode_and_detect_all_sizes,
)
from retinaface_tf.export.versions import NewVersion
from retinaface_tf.extras import import_extra
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.runtimes.onnx import METADATA, OnnxDetector
from retinaface_tf.serving.metadata import Metadata

FILE = "model.onnx"
CONVERTER_OPSET = 18  # the newest that tf2onnx writes
# Newer ones have nothing that this graph needs; this one loads in onnxruntime from 1.23 on.
OPSET = 23


def write_onnx_version(
    detector: GraphDetector, version: NewVersion, metadata: Metadata, check: ParityCheck
) -> dict[str, Any]:
    """Writes `model.onnx` and compares what onnxruntime answers with the detector.

    Args:
        detector: what is exported.
        version: where to write.
        metadata: of the export, kept in the file.
        check: the parity check.

    Returns:
        The parity figures of all passes over an image.

    Raises:
        InputError: the extra `onnx` is not installed.
        DoesNotHold: the export answers otherwise than the detector.
    """
    exported = OnnxDetector(write_onnx(detector, version.folder, metadata))
    source, export = decode_and_detect(detector), decode_and_detect(exported)
    check.require("ONNX", source, export, OTHER_RUNTIME)
    source, export = (
        decode_and_detect_all_sizes(each, detector.config) for each in (detector, exported)
    )
    return check.require("ONNX, all sizes", source, export, OTHER_RUNTIME).as_dict()


def write_onnx(detector: GraphDetector, folder: Path, metadata: Metadata) -> Path:
    """Writes `model.onnx`, which takes images of any size.

    Its input is `images` uint8 [B, H, W, 3], RGB, upright. Its outputs are `boxes` [B, D, 4],
    `scores` [B, D], `landmarks` [B, D, 5, 2] and `num_detections` [B], as those of the SavedModel.

    Returns:
        The file.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    onnx, tf2onnx = import_extra("onnx", "onnx"), import_extra("tf2onnx", "onnx")
    version_converter = import_extra("onnx.version_converter", "onnx")

    def detect(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return detector(images)._asdict()

    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_function(
        tf.function(detect), input_signature=[spec], opset=CONVERTER_OPSET
    )
    model = version_converter.convert_version(model, OPSET)
    onnx.helper.set_model_props(model, {METADATA: metadata.to_json()})
    onnx.checker.check_model(model, full_check=True)
    file = folder / FILE
    onnx.save(model, file)
    return file
