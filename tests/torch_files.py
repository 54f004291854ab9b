"""Files as `torch.save` writes them, in the zip and in the format before 1.6, drawn here.

PyTorch is too large to be installed for two files. The pickle in the zip is byte by byte that of
PyTorch 2.13, which test_torch_file.py holds; the older one makes the same calls.
"""

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import ml_dtypes
import numpy as np

EIGHTHS = np.arange(12, dtype=np.float32) / 8
TENSORS = {
    "whole": EIGHTHS.reshape(3, 4),
    "turned": EIGHTHS.reshape(3, 4).T,  # a view with strides
    "part": EIGHTHS[4:6],  # a view with an offset
    "half": EIGHTHS[:2].astype(np.float16),
    "brain": EIGHTHS[:2].astype(ml_dtypes.bfloat16),
    "count": np.array(7),
    "parameter": EIGHTHS[:3].copy(),
    "empty": np.zeros((0, 3), np.float32),
}
STORAGES = {"float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long"}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # with which a file before 1.6 begins

# Pickling names what it finds in a module; nothing here is ever called.
torch, utils = ModuleType("torch"), ModuleType("torch._utils")
for module, names in (
    (torch, [f"{kind}Storage" for kind in STORAGES.values()]),
    (utils, ["_rebuild_tensor_v2", "_rebuild_parameter"]),
):
    for name in names:
        setattr(module, name, type(name, (), {"__module__": module.__name__}))


class Storage:
    def __init__(self, numbers: np.ndarray, key: str):
        self.numbers, self.key = numbers, key


class Pickled:
    """What unpickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Pickler(pickle.Pickler):
    def __init__(self, stream, *further):
        super().__init__(stream, protocol=2)
        self.further = further

    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        kind = getattr(torch, f"{STORAGES[thing.numbers.dtype.name]}Storage")
        return ("storage", kind, thing.key, "cpu", thing.numbers.size, *self.further)


def write_torch_zip(path: Path, tensors: dict[str, np.ndarray] = TENSORS) -> None:
    stream, storages = io.BytesIO(), []
    _dump(Pickler(stream), storages, tensors)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/data.pkl", stream.getvalue())
        archive.writestr(f"{path.stem}/byteorder", "little")
        for storage in storages:
            archive.writestr(f"{path.stem}/data/{storage.key}", storage.numbers.tobytes())
        archive.writestr(f"{path.stem}/version", "3\n")


def write_torch_old(path: Path) -> None:
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": sizes}
    stream, storages = io.BytesIO(), []
    for part in (MAGIC, PROTOCOL, system):
        pickle.dump(part, stream, protocol=2)
    _dump(Pickler(stream, None), storages, TENSORS)
    storages.sort(key=lambda storage: storage.key)
    pickle.dump([storage.key for storage in storages], stream, protocol=2)
    for storage in storages:
        stream.write(storage.numbers.size.to_bytes(8, "little") + storage.numbers.tobytes())
    path.write_bytes(stream.getvalue())


def _dump(pickler: Pickler, storages: list[Storage], tensors: dict[str, np.ndarray]) -> None:
    """Pickles tensors; notes their storages, of which views of EIGHTHS share one."""
    state = OrderedDict()
    for name, values in tensors.items():
        whole = EIGHTHS if np.shares_memory(values, EIGHTHS) else values.reshape(-1)
        same = [each for each in storages if each.numbers is whole]
        if not same:
            same = [Storage(whole, str(len(storages)))]
            storages += same
        offset = (values.ctypes.data - whole.ctypes.data) // values.itemsize
        strides = tuple(stride // values.itemsize for stride in values.strides)
        if not values.size:
            strides = (3, 1)  # NumPy has none where there is nothing
        view = (offset, values.shape, strides, False, OrderedDict())
        state[name] = Pickled(utils._rebuild_tensor_v2, same[0], *view)
        if name == "parameter":
            state[name] = Pickled(utils._rebuild_parameter, state[name], True, OrderedDict())
    with patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}):
        pickler.dump({"epoch": 18, "state_dict": state})
