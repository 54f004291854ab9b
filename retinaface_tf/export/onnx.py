"""Writes ONNX models: network, decoding and NMS of a detector as one graph.

Needs the extra `onnx`.
"""

import logging
from pathlib import Path
from typing import Any

import tensorflow as tf

from retinaface_tf.export.onnx_nms import CANDIDATES, append_nms
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
# Newer ones add nothing that this graph needs; this one loads in onnxruntime 1.23 and later.
OPSET = 23


def write_onnx_version(
    detector: GraphDetector, version: NewVersion, metadata: Metadata, check: ParityCheck
) -> dict[str, Any]:
    """Writes `model.onnx`, and compares its answers in onnxruntime with the detector's.

    Args:
        detector: the detector to export.
        version: the folder to write.
        metadata: of the export, stored in the file.
        check: the parity check.

    Returns:
        The parity figures over all passes.

    Raises:
        InputError: the extra `onnx` is not installed.
        DoesNotHold: the export's answers differ from the detector's.
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

    The inputs are `images` uint8 [B, H, W, 3], RGB, upright, and the optional `score_threshold`
    and `nms_iou`, both float32 [1]. The outputs are `boxes` [B, D, 4], `scores` [B, D], `landmarks`
    [B, D, 5, 2] and `num_detections` [B], as in the SavedModel.

    Returns:
        The file.

    Raises:
        InputError: the extra `onnx` is not installed.
    """
    onnx = import_extra("onnx", "onnx")
    version_converter = import_extra("onnx.version_converter", "onnx")
    model = version_converter.convert_version(_convert_candidates(detector), OPSET)
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    append_nms(model.graph, metadata.thresholds, metadata.max_detections)
    onnx.helper.set_model_props(model, {METADATA: metadata.to_json()})
    onnx.checker.check_model(model, full_check=True)
    file = folder / FILE
    onnx.save(model, file)
    return file


def _convert_candidates(detector: GraphDetector) -> Any:
    """Converts network and decoding, up to NMS, to an onnx.ModelProto."""
    tf2onnx = import_extra("tf2onnx", "onnx")

    def find_candidates(images: tf.Tensor, score_threshold: tf.Tensor) -> dict[str, tf.Tensor]:
        found = detector.candidates(images, score_threshold=score_threshold)
        return dict(zip(CANDIDATES, found, strict=False))

    inputs = [
        tf.TensorSpec([None, None, None, 3], tf.uint8, name="images"),
        tf.TensorSpec([1], tf.float32, name="score_threshold"),
    ]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_function(
        tf.function(find_candidates, autograph=False),
        input_signature=inputs,
        opset=CONVERTER_OPSET,
    )
    return model
