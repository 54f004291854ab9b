"""Reads checkpoints that MindSpore saved (`.ckpt`), without MindSpore."""

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from google.protobuf import descriptor_pb2, text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from numpy.typing import NDArray

from retinaface_tf.errors import InputError

# MindSpore's checkpoint.proto without the hash tables that a value may hold instead of a tensor.
_SCHEMA = """
name: "checkpoint.proto"
message_type {
  name: "Checkpoint"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "Value" }
}
message_type {
  name: "Value"
  field { name: "tag" number: 1 label: LABEL_REQUIRED type: TYPE_STRING }
  field { name: "tensor" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: "Tensor" }
}
message_type {
  name: "Tensor"
  field { name: "dims" number: 1 label: LABEL_REPEATED type: TYPE_INT64 }
  field { name: "tensor_type" number: 2 label: LABEL_REQUIRED type: TYPE_STRING }
  field { name: "tensor_content" number: 3 label: LABEL_REQUIRED type: TYPE_BYTES }
}
"""
_POOL = DescriptorPool()
_POOL.Add(text_format.Parse(_SCHEMA, descriptor_pb2.FileDescriptorProto()))
Checkpoint = GetMessageClass(_POOL.FindMessageTypeByName("Checkpoint"))

_NUMPY_TYPES = "Bool Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float16 Float32 Float64"
_DTYPES = {name: np.dtype(name.lower()) for name in _NUMPY_TYPES.split()}
_DTYPES["BFloat16"] = np.dtype(ml_dtypes.bfloat16)

MAX_DIMENSIONS = 32  # the limit of NumPy


def read_mindspore_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Reads all tensors of a checkpoint by name, in the file's order, optimizer slots included.

    The format is that of `save_checkpoint`, mindspore/train/serialization.py (2.10). Kernels keep
    MindSpore's layout (out, in, height, width). Arrays are read-only. A file that was cut off
    between two tensors reads as one with fewer tensors, since the format does not mark its end.

    Raises:
        InputError: the file is missing, not a checkpoint, encrypted, or has an incomplete tensor.
    """
    tensors = {}
    # A tensor of more than 512 MiB is written in consecutive slices under one name.
    for name, slices in groupby(_parse(path), key=lambda value: value.tag):
        try:
            tensors[name] = _join([value.tensor for value in slices if value.HasField("tensor")])
        except ValueError as error:
            raise InputError(f"{path}: {name!r:.80} {error}") from None
    return tensors


def _parse(path: Path) -> Sequence[Any]:
    """Parses the values of the file, each a `tag` with a `tensor` or a slice of one."""
    expected = "expected a checkpoint that MindSpore saved"
    try:
        content = path.read_bytes()
        if content[-17:-10] == b"crc_num":  # then ten bytes, appended by crc_check=True
            content = content[:-17]
        values: Sequence[Any] = Checkpoint.FromString(content).value
        # A tag that is not text is bytes, or raises in the pure Python protobuf.
        whole = all(value.IsInitialized() and isinstance(value.tag, str) for value in values)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {expected}") from None
    except (DecodeError, UnicodeDecodeError):
        whole = False
    if not whole:
        raise InputError(f"{path}: cannot be parsed (cut, encrypted, another format?); {expected}")
    if not values:
        raise InputError(f"{path}: holds no tensors; {expected}")
    return values


def _join(slices: Sequence[Any]) -> NDArray[Any]:
    """Joins the slices of a tensor, each of which states the type and shape of the whole.

    Raises:
        ValueError: says what is wrong, to follow the tensor's name.
    """
    if not slices:
        raise ValueError("is a hash table; expected a tensor")
    content = b"".join(part.tensor_content for part in slices)
    kind = slices[0].tensor_type
    if len(slices[0].dims) > MAX_DIMENSIONS:
        raise ValueError(f"has {len(slices[0].dims)} dimensions; expected at most {MAX_DIMENSIONS}")
    shape = tuple(slices[0].dims)
    if shape == (0,) and content:
        shape = ()  # of strings, and of scalars in files of older MindSpore versions
    if kind == "str":
        dtype = np.dtype(f"<U{max(1, len(content) // 4)}")
    elif kind in _DTYPES:
        dtype = _DTYPES[kind]
    else:
        raise ValueError(f"is of type {kind!r:.40}; expected one of {', '.join([*_DTYPES, 'str'])}")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"has {len(content)} bytes; expected those of {kind} of shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape)
