"""Reads PyTorch's weights files without PyTorch.

A `.pth` is a pickle of tensors that name their storages. The storages are beside the pickle in a
zip, or after it in files written before PyTorch 1.6.
"""

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.model.weights.torch_pickle import StoredTensor, Unpickler

_ZIP_START = b"PK\x03\x04"
# Before PyTorch 1.6, a file began with a pickle of this number.
_OLD_START = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)

# A pickle of 100,000 tensors is shorter than this. In memory it can be a hundred times as large.
MAX_PICKLE = 4 * 2**20
# Tensors may share a storage, but not so often that a small file would fill the memory.
MAX_SHARING = 4

# Keys under which training scripts keep the weights.
_INNER = ("state_dict", "model")


def is_torch_file(start: bytes) -> bool:
    """Tells whether a file with these first bytes is from torch.save, or at least a zip."""
    return start.startswith((_ZIP_START, _OLD_START))


def read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    """Reads the state dict that `torch.save` wrote, alone or inside a training checkpoint.

    Returns:
        The tensors by name; none if there is no state dict.

    Raises:
        InputError: the file is cut short, was not written by torch.save, or asks to run code.
    """
    try:
        with path.open("rb") as file:
            read = _read_zip if file.read(len(_ZIP_START)) == _ZIP_START else _read_old
            file.seek(0)
            return read(file)
    # A broken pickle can raise almost anything.
    except Exception as error:
        raise InputError(
            f"{path}: expected a whole file of torch.save: {one_line(error)}"
        ) from None


def _read_zip(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        pickles = [name for name in entries if name.endswith("data.pkl")]
        if not pickles:
            raise ValueError("it is a zip without data.pkl")
        _check_entries(archive, file)
        folder = pickles[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        _check_order(order not in entries or archive.read(order) == b"little")
        if entries[pickles[0]].file_size > MAX_PICKLE:
            raise ValueError(f"its pickle is longer than {MAX_PICKLE:,} bytes")
        unpickler = Unpickler(io.BytesIO(archive.read(pickles[0])))
        tensors = _tensors(unpickler.load())
        storages = {
            key: np.frombuffer(archive.read(f"{folder}data/{key}"), unpickler.dtypes[key])
            for key in {tensor.storage for tensor in tensors.values()}
        }
    return _read_tensors(tensors, storages)


def _check_entries(archive: zipfile.ZipFile, file: IO[bytes]) -> None:
    """Refuses a zip that is larger in memory than on disk.

    PyTorch compresses nothing. Bytes that entries share would be read once for each entry.

    Raises:
        ValueError: an entry is compressed, or entries overlap.
    """
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it is a compressed zip")
    if sum(entry.file_size for entry in entries) > file.seek(0, os.SEEK_END):
        raise ValueError("it is a zip whose entries overlap")


def _read_old(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    """Reads the pickles of magic number, version, machine, content and keys, then the storages."""
    pickles = io.BytesIO(file.read(MAX_PICKLE))
    unpickler = Unpickler(pickles)
    _magic, _version, machine, content, keys = (unpickler.load() for _ in range(5))
    _check_order(machine["little_endian"])
    size = file.seek(0, os.SEEK_END)
    file.seek(pickles.tell())
    storages = {}
    for key in keys:
        if not isinstance(key, str) or key in storages:
            raise ValueError("it names a storage twice, or not at all")
        dtype = np.dtype(unpickler.dtypes[key])
        (count,) = struct.unpack("<q", file.read(8))
        if not 0 <= count * dtype.itemsize <= size - file.tell():
            raise ValueError(f"it ends within storage {key}")
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return _read_tensors(_tensors(content), storages)


def _read_tensors(
    tensors: dict[str, StoredTensor], storages: dict[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    size = sum(len(numbers) for numbers in storages.values())
    if sum(tensor.count for tensor in tensors.values()) > MAX_SHARING * size:
        raise ValueError("its tensors overlap, or lie outside their storage")
    return {name: tensor.read(storages[tensor.storage]) for name, tensor in tensors.items()}


def _check_order(little: bool) -> None:
    if not little:
        raise ValueError("it was written on a big-endian machine")


def _tensors(content: Any) -> dict[str, StoredTensor]:
    inner = next((key for key in _INNER if isinstance(content, dict) and key in content), None)
    state = content if inner is None else content[inner]
    items = state.items() if isinstance(state, dict) else ()
    return {name: tensor for name, tensor in items if isinstance(tensor, StoredTensor)}
