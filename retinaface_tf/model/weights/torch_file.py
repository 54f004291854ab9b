"""PyTorch's files without PyTorch, and without running what a pickle asks for.

A `.pth` is a pickle of tensors that name their storages; the storages lie beside it in a zip, or
behind it in files written before PyTorch 1.6. Only the few functions that `_Unpickler` knows are
ever called; any other that a file names is refused.
"""

import io
import math
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

from retinaface_tf.errors import InputError, one_line

_ZIP_START = b"PK\x03\x04"
# Before PyTorch 1.6: a pickle of this number.
_OLD_START = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)

_DTYPES: dict[str, DTypeLike] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


# Where training scripts keep the weights among other things.
_INNER = ("state_dict", "model")


@dataclass(frozen=True)
class _Tensor:
    """Where in a storage a tensor's numbers are."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers

    def read(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The tensor as a view of its storage.

        Raises:
            ValueError: it reaches out of it, as only a made-up file can say.
        """
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        inside = min((self.offset, *self.shape, *self.strides)) >= 0 and last < len(numbers)
        count = math.prod(self.shape)
        if count > len(numbers) or (count and not inside):
            raise ValueError(f"a tensor of shape {self.shape} lies outside of its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides)


# Written in Python: the one in C cannot be kept from changing what there is (BUILD).
_PythonUnpickler: Any = pickle._Unpickler


class _Unpickler(_PythonUnpickler):
    """Knows tensors and plain data; calls nothing else, and changes nothing that there is."""

    def __init__(self, file: IO[bytes]):
        super().__init__(file)
        self.dtypes: dict[str, DTypeLike] = {}  # of the storages met so far, by key

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name
        known = {
            ("collections", "Counter"): dict,
            ("collections", "OrderedDict"): dict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            ("torch", "Size"): tuple,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which is not run")
        return known[module, name]

    def persistent_load(self, identity: Any) -> str:
        kind, storage, key, _device, _count, *view = identity
        if kind != "storage" or storage not in _DTYPES or any(view):
            raise pickle.UnpicklingError(f"it refers to {identity!r:.60}, expected a storage")
        self.dtypes[str(key)] = _DTYPES[storage]
        return str(key)

    def drop_state(self) -> None:
        """Instead of BUILD: what a file says of an object besides its content is not needed."""
        self.stack.pop()

    dispatch: ClassVar = {**_PythonUnpickler.dispatch, pickle.BUILD[0]: drop_state}


def _rebuild_tensor(
    storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def is_torch_file(start: bytes) -> bool:
    """Whether a file that begins so was written by torch.save, or is a zip at least."""
    return start.startswith((_ZIP_START, _OLD_START))


def read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    """Reads the state dict that `torch.save` wrote, alone or among what a training script keeps.

    Returns:
        The tensors by name; none where there is no state dict.

    Raises:
        InputError: it is cut short, is no such file, or asks to run code.
    """
    try:
        with path.open("rb") as file:
            read = _read_zip if file.read(len(_ZIP_START)) == _ZIP_START else _read_old
            file.seek(0)
            return read(file)
    # A broken pickle can raise nearly anything.
    except Exception as error:
        reason = one_line(error)[:120] or type(error).__name__
        raise InputError(f"{path}: expected a whole file of torch.save: {reason}") from None


def _read_zip(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        pickles = [name for name in entries if name.endswith("data.pkl")]
        if not pickles:
            raise ValueError("it is a zip without data.pkl in it")
        # PyTorch compresses nothing, and what is small here is to be small in memory too.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError("it is a compressed zip")
        folder = pickles[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        _check_order(order not in entries or archive.read(order) == b"little")
        unpickler = _Unpickler(io.BytesIO(archive.read(pickles[0])))
        tensors = _tensors(unpickler.load())
        storages = {
            key: np.frombuffer(archive.read(f"{folder}data/{key}"), unpickler.dtypes[key])
            for key in {tensor.storage for tensor in tensors.values()}
        }
    return {name: tensor.read(storages[tensor.storage]) for name, tensor in tensors.items()}


def _read_old(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    """Pickles of magic number, version, machine, content, keys; then each storage's numbers."""
    unpickler = _Unpickler(file)
    _magic, _version, machine, content, keys = (unpickler.load() for _ in range(5))
    _check_order(machine["little_endian"])
    storages = {}
    for key in keys:
        dtype = np.dtype(unpickler.dtypes[key])
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    tensors = _tensors(content)
    return {name: tensor.read(storages[tensor.storage]) for name, tensor in tensors.items()}


def _check_order(little: bool) -> None:
    if not little:
        raise ValueError("it was written on a big-endian machine")


def _tensors(content: Any) -> dict[str, _Tensor]:
    inner = next((key for key in _INNER if isinstance(content, dict) and key in content), None)
    state = content if inner is None else content[inner]
    items = state.items() if isinstance(state, dict) else ()
    return {str(name): tensor for name, tensor in items if isinstance(tensor, _Tensor)}
