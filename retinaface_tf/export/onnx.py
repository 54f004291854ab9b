"""ONNX: the very Detector that evaluation runs, network, decode and NMS, as one graph.

Needs the extra `onnx`.
"""

import json
import logging
from pathlib import Path
from typing import Any

import tensorflow as tf

from retinaface_tf.export.gate import check_limits, open_gate
from retinaface_tf.export.metadata import describe, write_metadata
from retinaface_tf.export.parity import OTHER_RUNTIME, on_pixels
from retinaface_tf.export.versions import check_kind, new_version
from retinaface_tf.extras import import_extra
from retinaface_tf.model.detector import Detector
from retinaface_tf.runtimes.onnx import METADATA, OnnxDetector

FILE = "model.onnx"
CONVERTER_OPSET = 18  # the newest that tf2onnx writes
# Younger ones have nothing that this graph needs; this one loads in onnxruntime from 1.23 on.
OPSET = 23


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
        file = write_onnx(detector, version.folder, described)
        parity = gate.check("ONNX", on_pixels(OnnxDetector(file)), OTHER_RUNTIME)
        write_metadata(version.folder, {**described, "parity": parity._asdict()})
    return version.folder


def write_onnx(detector: Detector, folder: Path, metadata: dict[str, Any]) -> Path:
    """Writes `model.onnx`, which takes images of any size.

    Its input is `images` uint8 [B, H, W, 3], RGB, upright; its outputs are `boxes` [B, D, 4],
    `scores` [B, D], `landmarks` [B, D, 5, 2] and `num_detections` [B], as those of the SavedModel.
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
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata)})
    onnx.checker.check_model(model, full_check=True)
    file = folder / FILE
    onnx.save(model, file)
    return file
