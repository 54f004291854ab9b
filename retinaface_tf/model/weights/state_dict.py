"""Reads weights files of other projects as tensors by name."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.numpy
from numpy.typing import NDArray

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.extras import import_extra
from retinaface_tf.model.weights.mindspore_file import read_mindspore_checkpoint
from retinaface_tf.model.weights.torch_file import is_torch_file, read_torch_file
from retinaface_tf.model.weights.zoo import find_named

HUB_FILE = "model.safetensors"
# Suffixes of names that mean a file, even if it does not exist.
SUFFIXES = (".bin", ".ckpt", ".h5", ".pt", ".pth", ".safetensors", ".tar")

MAX_NAME = 500  # characters
_HDF5_START = b"\x89HDF"


@dataclass(frozen=True)
class StateDict:
    """Holds tensors by name."""

    kind: str  # of the file, such as PyTorch
    tensors: dict[str, NDArray[Any]]


def find_file(source: str | Path) -> Path:
    """Finds a local file, the file of named weights, or the file of a Hugging Face hub repository.

    A file that exists wins over a name. A repository has a name such as `timm/resnet50.tv_in1k`.

    Raises:
        InputError: there is no such file, or it cannot be downloaded.
    """
    path = Path(source)
    if path.is_file():
        return path
    if (named := find_named(source)) is not None:
        return named
    if path.is_dir():
        raise InputError(f"{source}: expected a weights file, found a folder")
    is_name = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", str(source))
    if not is_name or path.suffix in SUFFIXES or path.parent.is_dir():
        raise InputError(f"{source}: no such weights file")
    return _download(str(source))


def _download(repository: str) -> Path:
    """Downloads the weights of a hub repository, unless they are in the cache."""
    try:
        huggingface_hub = import_extra("huggingface_hub", "hub")
    except InputError as error:
        raise InputError(
            f"{repository}: no such weights file; as a name of the Hugging Face hub: {error}"
        ) from None
    # The library logs every retry.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(huggingface_hub.hf_hub_download(repository, HUB_FILE))
    # The library raises its own errors, HTTP errors and file errors.
    except Exception as error:
        reason = one_line(error)
        raise InputError(
            f"{repository}: neither a file nor a repository on the Hugging Face hub that could be "
            f"read: {reason}"
        ) from None


def read_state_dict(path: Path) -> StateDict:
    """Reads a file of PyTorch, safetensors or MindSpore, known by its first bytes or `.ckpt`.

    No code in the file is run.

    Raises:
        InputError: the file is none of these, or is broken, or holds no tensors.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if is_torch_file(start):
        state = StateDict("PyTorch", read_torch_file(path))
    elif start[8:9] == b"{":
        state = StateDict("safetensors", _read_safetensors(path))
    elif path.suffix == ".ckpt":
        state = StateDict("MindSpore", _read_mindspore(path))
    else:
        raise InputError(f"{path}: {_what_else(start)}")
    if not state.tensors:
        raise InputError(f"{path}: expected tensors by name (a state dict), found none")
    for name in state.tensors:
        if len(name) > MAX_NAME or not name.isprintable():
            raise InputError(f"{path}: expected names of tensors, found {name!r:.60}")
    return state


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return safetensors.numpy.load_file(path)
    # Types that NumPy does not have raise other kinds of errors.
    except Exception as error:
        raise InputError(f"{path}: expected a whole safetensors file: {one_line(error)}") from None


def _read_mindspore(path: Path) -> dict[str, NDArray[Any]]:
    tensors = read_mindspore_checkpoint(path)
    # MindSpore also keeps text as tensors.
    return {name: values for name, values in tensors.items() if values.dtype.kind != "U"}


def _what_else(start: bytes) -> str:
    if start.startswith(_HDF5_START):
        return "is a Keras file already; its name must end in .weights.h5"
    return (
        "expected a file of torch.save, safetensors, MindSpore (.ckpt) or our own (.weights.h5), "
        f"found one that begins with {start[:8]!r}"
    )
