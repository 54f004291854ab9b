"""Checks this project's weights files, which are HDF5, before Keras reads them.

HDF5 allows datasets that are compressed, were never written, lie in other files, or overlap: a
small file can declare any size. Keras writes none of these. It also writes no checksum, so that a
flipped bit would be read as a different weight.
"""

import hashlib
from pathlib import Path

import h5py
import numpy as np

CHECKSUM = "sha256"  # attribute of the file
_NUMBERS = "biuf"  # kinds of NumPy types; others, such as texts, are stored elsewhere


def check_file(path: Path) -> None:
    """Checks that a file holds plain numbers and, if it has a checksum, those that were saved.

    Files without a checksum, as older versions wrote them, are accepted.

    Raises:
        OSError: the file is not HDF5.
        ValueError: says what is wrong, to follow the file's name.
    """
    with h5py.File(path) as file:
        _check_plain(file, path.stat().st_size)
        if CHECKSUM in file.attrs and file.attrs[CHECKSUM] != _checksum(file):
            raise ValueError("its checksum differs: it was damaged after it was saved")


def write_checksum(file: h5py.File) -> None:
    """Writes the checksum of a file's content; call it last."""
    file.attrs[CHECKSUM] = _checksum(file)


def _check_plain(file: h5py.File, size: int) -> None:
    def check(name: str, link: object) -> None:
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name!r:.60} is a link to another file or dataset")

    file.visititems_links(check)
    datasets = _datasets(file)
    for name, dataset in datasets.items():
        if dataset.dtype.kind not in _NUMBERS or dataset.external or dataset.is_virtual:
            raise ValueError(f"{name!r:.60} holds something other than numbers")
    declared = sum(dataset.nbytes for dataset in datasets.values())
    if declared > size:
        raise ValueError(f"it declares {declared:,} bytes of numbers, more than it has")


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Returns all datasets by name, sorted."""
    found: dict[str, h5py.Dataset] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(keep)
    return dict(sorted(found.items()))


def _checksum(file: h5py.File) -> str:
    """Computes the SHA-256 of attributes, names, types, shapes and numbers, in hexadecimal."""
    attributes = {name: value for name, value in file.attrs.items() if name != CHECKSUM}
    digest = hashlib.sha256(repr(sorted(attributes.items())).encode())
    for name, dataset in _datasets(file).items():
        digest.update(f"{name} {dataset.dtype.str} {dataset.shape}".encode())
        digest.update(np.ascontiguousarray(dataset[()]).data)
    return digest.hexdigest()
