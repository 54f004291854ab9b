"""Converts a network to LiteRT at a fixed size, in float32, float16 and int8.

Decoding and NMS stay outside (`runtimes.heads`), as eight bits are too few for a coordinate. Needs
the extra `litert`.
"""

import re
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.extras import import_extra
from retinaface_tf.runtimes.litert import METADATA
from retinaface_tf.serving.metadata import Metadata

SUFFIX = ".tflite"
# Up to stride 8, eight bits cost several points of AP, and there are few weights to save.
IN_FLOAT = re.compile("/(subtract_mean|stem|stage1)_")


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
        network: the network to convert.
        side: of the images, in pixels.
        folder: for the files.
        metadata: of the export, stored in each file for LiteRtDetector.
        representative: images uint8 [side, side, 3], from which int8 learns the ranges of values;
            without images, int8 is left out.

    Returns:
        The files, in the order above.

    Raises:
        InputError: the extra `litert` is not installed.
    """
    images = [image[None] for image in representative]
    spec = tf.TensorSpec([1, side, side, 3], tf.uint8, name="images")
    module = tf.Module()
    # Given the function itself, a converter would leave out the variables.
    module.variables_of_network = [variable.value for variable in network.variables]
    module.heads = tf.function(
        lambda images: network(images, training=False), autograph=False, input_signature=[spec]
    )
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

    This uses TensorFlow's debugger, which lets single layers stay in float.
    """
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    with warnings.catch_warnings():
        # The debugger makes TensorFlow's interpreter, although it is unused here.
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
