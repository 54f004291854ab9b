"""PyTorch's files without PyTorch, and without running what a pickle asks for.

A `.pth` is a pickle of tensors that name their storages; the storages lie beside it in a zip, or
behind it in files written before PyTorch 1.6. Only the few constructors of `_Unpickler` are ever
called; any other that a file names is refused.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

from retinaface_tf.errors import InputError

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


@dataclass(frozen=True)
class _Tensor:
    """Where in a storage a tensor's numbers are."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers

    def read(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The tensor out of its storage.

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
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides).copy()


class _Unpickler(pickle.Unpickler):
    """Knows tensors and plain data; calls nothing else."""

    def __init__(self, file: IO[bytes]):
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}  # of the storages met so far, by key

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return np.dtype(_DTYPES[name])
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            ("torch", "Size"): tuple,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which is not run")
        return known[module, name]

    def persistent_load(self, identity: Any) -> str:
        kind, dtype, key, *_ = identity
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it refers to a {kind}, expected a storage")
        self.dtypes[key] = dtype
        return str(key)


def _rebuild_tensor(
    storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def is_torch_file(start: bytes) -> bool:
    """Whether a file that begins so was written by torch.save, or is a zip at least."""
    return start.startswith((_ZIP_START, _OLD_START))


def read_torch_file(path: Path) -> Any:
    """Reads what `torch.save` wrote.

    Returns:
        What was saved, with arrays for tensors.

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
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{path}: expected a whole file of torch.save: {reason}") from None


def _read_zip(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        folders = [name.removesuffix("data.pkl") for name in names if name.endswith("data.pkl")]
        if not folders:
            raise ValueError("it is a zip without data.pkl in it")
        folder = folders[0]
        order = f"{folder}byteorder"
        _check_order(order not in names or archive.read(order) == b"little")
        unpickler = _Unpickler(io.BytesIO(archive.read(f"{folder}data.pkl")))
        content = unpickler.load()
        storages = {
            key: np.frombuffer(archive.read(f"{folder}data/{key}"), dtype)
            for key, dtype in unpickler.dtypes.items()
        }
        return _with_arrays(content, storages)


def _read_old(file: IO[bytes]) -> Any:
    """Pickles of magic number, version, machine, content, keys; then each storage's numbers."""
    unpickler = _Unpickler(file)
    _magic, _version, machine, content, keys = (unpickler.load() for _ in range(5))
    _check_order(machine["little_endian"])
    storages = {}
    for key in keys:
        dtype = unpickler.dtypes[key]
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return _with_arrays(content, storages)


def _check_order(little: bool) -> None:
    if not little:
        raise ValueError("it was written on a big-endian machine")


def _with_arrays(content: Any, storages: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(content, _Tensor):
        return content.read(storages[content.storage])
    if isinstance(content, dict):
        return {key: _with_arrays(value, storages) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_with_arrays(value, storages) for value in content]
    return content
