"""A SavedModel by TensorFlow's C API, whose loader and session are those of TensorFlow Serving.

What a signature's inputs are called in the graph is read from `saved_model.pb`, and defaults that a
request leaves out are taken from there, as the server does.
"""

import ctypes
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

LIBRARY = Path(tf.__file__).parent / "libtensorflow_cc.so.2"
STRING_BYTES = 24  # of a TF_TString


class Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


def open_library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(LIBRARY))
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    for name in (
        *("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel"),
        *("GraphOperationByName", "AllocateTensor", "TensorData", "StringGetDataPointer"),
    ):
        getattr(library, f"TF_{name}").restype = pointer
    library.TF_Message.restype = ctypes.c_char_p
    library.TF_Dim.restype = number
    library.TF_TensorByteSize.restype = ctypes.c_size_t
    return library


class CModel:
    """A version, loaded as a server loads it."""

    def __init__(self, version: Path):
        self.library = open_library()
        self.graph = ctypes.c_void_p(self.library.TF_NewGraph())
        self.status = ctypes.c_void_p(self.library.TF_NewStatus())
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(
            self.library.TF_LoadSessionFromSavedModel(
                ctypes.c_void_p(self.library.TF_NewSessionOptions()),
                None,
                str(version).encode(),
                tags,
                1,
                self.graph,
                None,
                self.status,
            )
        )
        self.check()
        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString((version / "saved_model.pb").read_bytes())
        self.signatures = saved.meta_graphs[0].signature_def

    def __call__(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Answers a request; what it leaves out has the signature's default."""
        definition = self.signatures[signature]
        defaults = {
            name: tf.make_ndarray(value)
            for name, value in definition.defaults.items()
            if name not in inputs
        }
        fed = {definition.inputs[n].name: v for n, v in (inputs | defaults).items()}
        names = sorted(definition.outputs)
        fetched = [definition.outputs[name].name for name in names]
        tensors = (ctypes.c_void_p * len(fed))(*map(self.to_tensor, fed.values()))
        answers = (ctypes.c_void_p * len(names))()
        self.library.TF_SessionRun(
            *(self.session, None),
            *((Output * len(fed))(*map(self.output, fed)), tensors, len(fed)),
            *((Output * len(names))(*map(self.output, fetched)), answers, len(names)),
            *(None, 0, None, self.status),
        )
        self.check()
        for tensor in tensors:
            self.library.TF_DeleteTensor(ctypes.c_void_p(tensor))
        return {name: self.from_tensor(t) for name, t in zip(names, answers, strict=True)}

    def output(self, name: str) -> Output:
        operation, index = name.split(":")
        found = self.library.TF_GraphOperationByName(self.graph, operation.encode())
        assert found, name
        return Output(found, int(index))

    def to_tensor(self, value: np.ndarray) -> int:
        is_text = value.dtype == object
        dtype = types_pb2.DT_STRING if is_text else tf.as_dtype(value.dtype).as_datatype_enum
        size = value.size * STRING_BYTES if is_text else value.nbytes
        dims = (ctypes.c_int64 * value.ndim)(*value.shape)
        tensor = self.library.TF_AllocateTensor(dtype, dims, value.ndim, ctypes.c_size_t(size))
        data = self.library.TF_TensorData(ctypes.c_void_p(tensor))
        if is_text:
            for place, text in enumerate(value.ravel()):
                string = ctypes.c_void_p(data + place * STRING_BYTES)
                self.library.TF_StringInit(string)
                self.library.TF_StringCopy(string, text, ctypes.c_size_t(len(text)))
        elif size:
            whole = np.ascontiguousarray(value)  # named, as it has to outlive the copying
            ctypes.memmove(data, whole.ctypes.data, size)
        return tensor

    def from_tensor(self, tensor: int) -> np.ndarray:
        handle = ctypes.c_void_p(tensor)
        dtype = tf.as_dtype(self.library.TF_TensorType(handle)).as_numpy_dtype
        rank = self.library.TF_NumDims(handle)
        shape = [self.library.TF_Dim(handle, axis) for axis in range(rank)]
        size = self.library.TF_TensorByteSize(handle)
        data = ctypes.string_at(self.library.TF_TensorData(handle), size) if size else b""
        self.library.TF_DeleteTensor(handle)
        return np.frombuffer(data, dtype).reshape(shape)

    def check(self) -> None:
        code = self.library.TF_GetCode(self.status)
        assert code == 0, self.library.TF_Message(self.status).decode()
