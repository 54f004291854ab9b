"""Reads the pickles in PyTorch's files without running what they ask for.

Only the few functions that `Unpickler` knows are ever called; all others are refused. A pickle of a
few hundred bytes can hold tuples of tuples that take for ever to hash, compare or print, and can
ask for a long list to be copied again and again. So nothing here hashes, compares, prints or copies
a value from a file before its type and length are known.
"""

import math
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

MAX_DIMENSIONS = 32  # the limit of NumPy

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
class StoredTensor:
    """Locates a tensor's numbers in a storage."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def read(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Returns the tensor as a view of its storage.

        Raises:
            ValueError: the tensor reaches beyond the storage, which PyTorch never writes.
        """
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        inside = min((self.offset, *self.shape, *self.strides)) >= 0 and last < len(numbers)
        if self.count > len(numbers) or (self.count and not inside):
            raise ValueError(f"a tensor of shape {self.shape} lies outside its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides)


# The unpickler in Python, as the one in C cannot be kept from changing existing objects (BUILD).
_PythonUnpickler: Any = pickle._Unpickler


class Unpickler(_PythonUnpickler):
    """Reads tensors and plain data; calls nothing else, and changes no existing object."""

    def __init__(self, file: IO[bytes]):
        super().__init__(file)
        self.dtypes: dict[str, DTypeLike] = {}  # of the storages seen so far, by key

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name
        known = {
            ("collections", "Counter"): _make_dictionary,
            ("collections", "OrderedDict"): _make_dictionary,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            ("torch", "Size"): lambda shape: shape,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which is not run")
        return known[module, name]

    def persistent_load(self, identity: Any) -> str:
        if not isinstance(identity, tuple) or not 5 <= len(identity) <= 6:
            raise pickle.UnpicklingError("it refers to something other than a storage")
        kind, storage, key, _device, _count, *view = identity
        if not all(isinstance(part, str) for part in (kind, storage, key)):
            raise pickle.UnpicklingError("it refers to something unnamed, expected a storage")
        if kind != "storage" or storage not in _DTYPES or any(view):
            raise pickle.UnpicklingError(f"it refers to {kind} {storage}, expected a storage")
        self.dtypes[key] = _DTYPES[storage]
        return key

    def drop_state(self) -> None:
        """Replaces BUILD: the attributes of objects are not needed."""
        self.stack.pop()

    def set_items(self) -> None:
        """Replaces SETITEMS: keeps only items with a text as key."""
        items = self.pop_mark()
        self.stack[-1].update(_keep_named(zip(items[::2], items[1::2], strict=True)))

    def set_item(self) -> None:
        key, value = self.stack[-2:]
        del self.stack[-2:]
        self.stack[-1].update(_keep_named([(key, value)]))

    def make_dictionary(self) -> None:
        items = self.pop_mark()
        self.stack.append(_keep_named(zip(items[::2], items[1::2], strict=True)))

    def refuse(self) -> None:
        raise pickle.UnpicklingError("it holds a set or an array of bytes, expected tensors")

    dispatch: ClassVar = {
        **_PythonUnpickler.dispatch,
        pickle.BUILD[0]: drop_state,
        pickle.SETITEM[0]: set_item,
        pickle.SETITEMS[0]: set_items,
        pickle.DICT[0]: make_dictionary,
        pickle.ADDITEMS[0]: refuse,  # hashes them
        pickle.FROZENSET[0]: refuse,
        pickle.BYTEARRAY8[0]: refuse,  # fills as much memory as its header says
    }


def _keep_named(pairs: Iterable[Any]) -> dict[str, Any]:
    """Makes a dictionary of the pairs whose key is a text; hashing others may take for ever."""
    return {key: value for key, value in pairs if isinstance(key, str)}


def _make_dictionary(items: Any = None) -> dict[str, Any]:
    """Makes the dictionary of a Counter or an OrderedDict without copying it twice."""
    if isinstance(items, dict):
        return items
    if not isinstance(items, list | None):
        raise TypeError("a dictionary made of something other than pairs")
    pairs = list(items or ())
    if items:
        items.clear()
    return _keep_named(pairs)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> StoredTensor:
    """Checks what a file says of a tensor.

    Raises:
        ValueError: the file does not give a storage and numbers.
    """
    if not (isinstance(shape, tuple) and isinstance(strides, tuple) and isinstance(storage, str)):
        raise ValueError("a tensor without storage, shape and strides")
    if len(shape) > MAX_DIMENSIONS or len(shape) != len(strides):
        raise ValueError(f"a tensor of {len(shape)} dimensions and {len(strides)} strides")
    measures = (offset, *shape, *strides)
    if not all(type(number) is int and abs(number) < 2**63 for number in measures):
        raise ValueError("a tensor whose offset, shape or strides are not numbers")
    return StoredTensor(storage, offset, shape, strides)
