"""LiteRT: the network alone, at a fixed size, in float32, float16 and int8.

Decoding and NMS stay outside (`raw_heads`): eight bits are too few for a coordinate. Needs the
extra `litert`.
"""

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

SUFFIX = ".tflite"
METADATA = "retinaface_tf"  # the name, in the file's own metadata, of what the model is


def write_litert(
    network: keras.Model,
    side: int,
    folder: Path,
    metadata: dict[str, Any],
    representative: Iterable[NDArray[np.uint8]] = (),
) -> list[Path]:
    """Writes `model_float32.tflite`, `model_float16.tflite` and `model_int8.tflite`.

    Each takes `images` uint8 [1, side, side, 3], RGB, and gives the heads of `Predictions`,
    `boxes` [1, A, 4], `logits` [1, A, 2] and `landmarks` [1, A, 5, 2], in float32.

    Args:
        network: what to convert.
        side: of the images, in pixels.
        folder: where to.
        metadata: what is kept in the files, for LiteRtDetector.
        representative: images uint8 [side, side, 3], from which int8 learns the ranges of values;
            without any there is no int8.
    """

    def float16(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    def int8(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([np.float32(i)[None]] for i in images)
        converter.inference_input_type = tf.uint8

    def write(name: str, dtype: tf.DType, adjust: Callable[..., None] | None = None) -> Path:
        file = folder / f"model_{name}{SUFFIX}"
        file.write_bytes(_with_metadata(_convert(network, side, dtype, adjust), metadata))
        return file

    images = list(representative)
    files = [write("float32", tf.uint8), write("float16", tf.uint8, float16)]
    # The cast from uint8 is no operation of it: its first numbers are the pixels themselves.
    return [*files, write("int8", tf.float32, int8)] if images else files


def _convert(
    network: keras.Model, side: int, dtype: tf.DType, adjust: Callable[..., None] | None
) -> bytes:
    spec = tf.TensorSpec([1, side, side, 3], dtype, name="images")
    module = tf.Module()
    # A converter that is given the function itself leaves the variables out.
    module.variables_of_network = [variable.value for variable in network.variables]
    module.heads = tf.function(
        lambda images: network(tf.cast(images, tf.float32), training=False), input_signature=[spec]
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.heads)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if adjust is not None:
            adjust(converter)
        return converter.convert()


def _with_metadata(model: bytes, metadata: dict[str, Any]) -> bytes:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    tree = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    entry.name, entry.buffer = METADATA, len(tree.buffers)
    tree.buffers.append(buffer)
    tree.metadata = [*(tree.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(tree))
