"""Writes LiteRT: the network alone, at a fixed size, in float32, float16 and int8.

Decoding and NMS stay outside (`runtimes.heads`): eight bits are too few for a coordinate. Needs the
extra `litert`.
"""

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
from retinaface_tf.data.pipeline import TrainingData
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.export.parity import (
    OTHER_RUNTIME,
    DetectFile,
    Parity,
    ParityCheck,
    decode_and_detect,
)
from retinaface_tf.extras import import_extra
from retinaface_tf.model.detector import Detector
from retinaface_tf.runtimes.litert import METADATA, LiteRtDetector
from retinaface_tf.serving.metadata import Metadata
from retinaface_tf.structures import Detections

SUFFIX = ".tflite"
# Up to the stride of 8 eight bits lose several points of AP, and there are few weights.
IN_FLOAT = re.compile("/(subtract_mean|stem|stage1)_")
REPRESENTATIVE_IMAGES = 100  # of training
# AP that rounding may cost, in any of the three sets. On a few images it is a rough measure: one
# face more or less counts much.
MAX_AP_LOSS = {"float16": 0.01, "int8": 0.03}

log = logging.getLogger(__name__)


def write_litert_version(
    detector: Detector, folder: Path, metadata: Metadata, check: ParityCheck
) -> dict[str, Any]:
    """Writes `model_float32.tflite` and its like, and compares each with the detector.

    The models see squares of `data.image_size` pixels, and are compared with what the detector
    answers about these. Without training images, from which int8 learns its ranges, int8 is left
    out.

    Args:
        detector: what is exported.
        folder: of the version.
        metadata: of the export, kept in each file.
        check: the parity check.

    Returns:
        The parity figures by precision.

    Raises:
        InputError: the extra `litert` is not installed.
        DoesNotHold: float32 answers otherwise than the detector, or another precision loses too
            much AP.
    """
    side, images = detector.config.data.image_size, list(_representative(detector.config))
    source = _detect_on_squares(detector, side)
    parity = {}
    for file in write_litert(detector.network, side, folder, metadata, images):
        precision = file.stem.removeprefix("model_")
        export = decode_and_detect(LiteRtDetector(file))
        parity[precision] = _check(check, precision, source, export).as_dict()
    return parity


def _representative(config: Config) -> Iterator[NDArray[np.uint8]]:
    """Images of the training pipeline, uint8 [S, S, 3]."""
    try:
        records = training_set(config)
    except InputError as error:
        log.warning("no int8, whose ranges training images give: %s", error)
        return
    data = TrainingData(records, config.data, batch=1, seed=config.train.seed)
    with data.explain(0, REPRESENTATIVE_IMAGES):
        for batch in data.batches().take(REPRESENTATIVE_IMAGES):
            yield batch.images[0].numpy()


def _detect_on_squares(detector: Detector, side: int) -> DetectFile:
    def detect(file: Path) -> Detections:
        square, scale = letterbox(decode_image(tf.io.read_file(str(file))), side)
        return detector(square[None], scale)

    return detect


def _check(check: ParityCheck, precision: str, source: DetectFile, export: DetectFile) -> Parity:
    """Requires parity of float32, and of the rounded precisions that they keep their AP."""
    name = f"LiteRT, {precision}"
    if precision == "float32":
        return check.require(name, source, export, OTHER_RUNTIME)
    parity = check.measure(name, source, export, OTHER_RUNTIME)
    if parity.ap is None:
        log.warning("%s: not checked, as these images have no ground truth to measure AP", name)
        return parity
    of_source, of_export = parity.ap
    loss = max(of_source[key] - of_export[key] for key in of_source)
    if loss > MAX_AP_LOSS[precision]:
        raise DoesNotHold(
            f"{name}: loses {loss:.4f} of AP, expected at most {MAX_AP_LOSS[precision]}; no "
            f"version was written"
        )
    return parity


def write_litert(
    network: keras.Model,
    side: int,
    folder: Path,
    metadata: Metadata,
    representative: Iterable[NDArray[np.uint8]] = (),
) -> list[Path]:
    """Writes `model_float32.tflite`, `model_float16.tflite` and `model_int8.tflite`.

    Each takes `images` uint8 [1, side, side, 3], RGB, and returns the heads of `Predictions`,
    `boxes` [1, A, 4], `logits` [1, A, 2] and `landmarks` [1, A, 5, 2], in float32. In int8 the
    layers up to the backbone's first stage stay in float32.

    Args:
        network: what to convert.
        side: of the images, in pixels.
        folder: of the files.
        metadata: of the export, kept in each file for LiteRtDetector.
        representative: images uint8 [side, side, 3], from which int8 learns the ranges of values;
            without any, int8 is left out.

    Returns:
        The files, in the order above.

    Raises:
        InputError: the extra `litert` is not installed.
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
    """Quantizes with ranges learned from images.

    TensorFlow's debugger does it, as it lets single layers stay in float.
    """
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    with warnings.catch_warnings():
        # The debugger makes TensorFlow's interpreter, although it is not used here.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        return _quantize_in_part(tf.lite.experimental.QuantizationDebugger(converter=converter))


def _quantize_in_part(debugger: tf.lite.experimental.QuantizationDebugger) -> bytes:
    """Quantizes all but the layers of IN_FLOAT."""
    litert = import_extra("ai_edge_litert.interpreter", "litert")
    calibrated = litert.Interpreter(model_content=debugger.calibrated_model)
    names = [tensor["name"] for tensor in calibrated.get_tensor_details()]
    debugger.options = tf.lite.experimental.QuantizationDebugOptions(
        denylisted_nodes=[name for name in names if IN_FLOAT.search(name)]
    )
    return debugger.get_nondebug_quantized_model()


def _with_metadata(model: bytes, metadata: Metadata) -> bytes:
    schema = import_extra("ai_edge_litert.schema_py_generated", "litert")
    flatbuffer_utils = import_extra("ai_edge_litert.tools.flatbuffer_utils", "litert")
    tree = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(metadata.to_json().encode(), np.uint8)
    entry.name, entry.buffer = METADATA, len(tree.buffers)
    tree.buffers.append(buffer)
    tree.metadata = [*(tree.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(tree))
