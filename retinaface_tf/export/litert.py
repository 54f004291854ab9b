"""LiteRT: the network alone, at a fixed size, in float32, float16 and int8.

Decoding and NMS stay outside (`runtimes.heads`): eight bits are too few for a coordinate. Needs the
extra `litert`.
"""

import json
import logging
import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.pipeline import explain_unreadable, training_batches
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.export.gate import Gate, check_limits, open_gate
from retinaface_tf.export.metadata import describe, write_metadata
from retinaface_tf.export.parity import OTHER_RUNTIME, DetectFile, Parity, compare, on_pixels
from retinaface_tf.export.versions import check_kind, new_version
from retinaface_tf.extras import import_extra
from retinaface_tf.model.detector import Detector
from retinaface_tf.runtimes.litert import METADATA, LiteRtDetector
from retinaface_tf.structures import DetectionBatch

SUFFIX = ".tflite"
# Up to the stride of 8 eight bits lose several points of AP, and there are few weights.
IN_FLOAT = re.compile("/(subtract_mean|stem|stage1)_")
REPRESENTATIVE_IMAGES = 100  # of training
# What AP may lose where numbers are rounded, in any of the three sets. On a few images it is rough:
# one face more or less counts much.
MOST_LOST = {"float16": 0.01, "int8": 0.03}

log = logging.getLogger(__name__)


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
        for file in write_litert(detector.network, side, version.folder, described, images):
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
    def answer(file: Path) -> DetectionBatch:
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


def write_litert(
    network: keras.Model,
    side: int,
    folder: Path,
    metadata: dict[str, Any],
    representative: Iterable[NDArray[np.uint8]] = (),
) -> list[Path]:
    """Writes `model_float32.tflite`, `model_float16.tflite` and `model_int8.tflite`.

    Each takes `images` uint8 [1, side, side, 3], RGB, and gives the heads of `Predictions`,
    `boxes` [1, A, 4], `logits` [1, A, 2] and `landmarks` [1, A, 5, 2], in float32. In int8 the
    layers up to the backbone's first stage stay in float32.

    Args:
        network: what to convert.
        side: of the images, in pixels.
        folder: where to.
        metadata: what is kept in the files, for LiteRtDetector.
        representative: images uint8 [side, side, 3], from which int8 learns the ranges of values;
            without any there is no int8.
    """
    images = [image[None] for image in representative]
    spec = tf.TensorSpec([1, side, side, 3], tf.uint8, name="images")
    module = tf.Module()
    # A converter that is given the function itself leaves the variables out.
    module.variables_of_network = [variable.value for variable in network.variables]
    module.heads = tf.function(lambda images: network(images, training=False), [spec])
    models = {}
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(module, scratch, signatures=module.heads)
        models["float32"] = tf.lite.TFLiteConverter.from_saved_model(scratch).convert()
        models["float16"] = _float16(tf.lite.TFLiteConverter.from_saved_model(scratch))
        if images:
            models["int8"] = _int8(tf.lite.TFLiteConverter.from_saved_model(scratch), images)
    files = []
    for name, model in models.items():
        files.append(folder / f"model_{name}{SUFFIX}")
        files[-1].write_bytes(_with_metadata(model, metadata))
    return files


def _float16(converter: tf.lite.TFLiteConverter) -> bytes:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _int8(converter: tf.lite.TFLiteConverter, images: Sequence[NDArray[np.uint8]]) -> bytes:
    """Ranges by these images; the debugger is what lets single layers stay in float."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    with warnings.catch_warnings():
        # Of the interpreter in TensorFlow, which the debugger makes for what is not used here.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        return _in_part(tf.lite.experimental.QuantizationDebugger(converter=converter))


def _in_part(debugger: tf.lite.experimental.QuantizationDebugger) -> bytes:
    litert = import_extra("ai_edge_litert.interpreter", "litert")
    calibrated = litert.Interpreter(model_content=debugger.calibrated_model)
    names = [tensor["name"] for tensor in calibrated.get_tensor_details()]
    debugger.options = tf.lite.experimental.QuantizationDebugOptions(
        denylisted_nodes=[name for name in names if IN_FLOAT.search(name)]
    )
    return debugger.get_nondebug_quantized_model()


def _with_metadata(model: bytes, metadata: dict[str, Any]) -> bytes:
    schema = import_extra("ai_edge_litert.schema_py_generated", "litert")
    flatbuffer_utils = import_extra("ai_edge_litert.tools.flatbuffer_utils", "litert")
    tree = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    entry.name, entry.buffer = METADATA, len(tree.buffers)
    tree.buffers.append(buffer)
    tree.metadata = [*(tree.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(tree))
