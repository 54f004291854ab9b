"""Weight files of others as tensors by name, whatever wrote them and wherever they lie."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from retinaface_tf.errors import InputError
from retinaface_tf.model.mindspore_file import read_mindspore_checkpoint
from retinaface_tf.model.torch_file import is_torch_file, read_torch_file

SUFFIXES = (".pth", ".pt", ".tar", ".bin", ".safetensors", ".ckpt", ".h5")
HUB_FILE = "model.safetensors"

# Where training scripts keep the weights among other things.
_INNER = ("state_dict", "model")


@dataclass(frozen=True)
class StateDict:
    kind: str  # of file
    tensors: dict[str, NDArray[Any]]


def find_file(source: str | Path) -> Path:
    """A local file, or that of a Hugging Face hub name such as `timm/resnet50.tv_in1k`.

    Raises:
        InputError: there is no such file, or the hub does not give it.
    """
    path = Path(source)
    if path.is_file():
        return path
    if path.suffix in SUFFIXES or not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        raise InputError(f"{source}: no such weights file")
    return _download(str(source))


def _download(repository: str) -> Path:
    try:
        import huggingface_hub
    except ImportError:
        raise InputError(
            f"{repository}: no such weights file; as a name of the Hugging Face hub it needs "
            "`pip install huggingface_hub`"
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(repository, HUB_FILE))
    # It raises errors of its own, of HTTP and of files.
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{repository}: neither a file nor a repository of the Hugging Face hub that could be "
            f"read: {reason}"
        ) from None


def read_state_dict(path: Path) -> StateDict:
    """Reads a file of PyTorch, safetensors or MindSpore, told apart by its first bytes.

    No code in it is run.

    Raises:
        InputError: it is none of these, or broken, or holds no tensors.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if is_torch_file(start):
        kind, content = "PyTorch", read_torch_file(path)
    elif start[8:9] == b"{":
        kind, content = "safetensors", _read_safetensors(path)
    elif path.suffix == ".ckpt":
        kind, content = "MindSpore", read_mindspore_checkpoint(path)
    else:
        raise InputError(
            f"{path}: expected a file of torch.save, safetensors, MindSpore (.ckpt) or our own "
            f"(.weights.h5), found one that begins with {start[:8]!r}"
        )
    return StateDict(kind, _tensors(content, path))


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected a whole safetensors file: {error}") from None


def _tensors(content: Any, path: Path) -> dict[str, NDArray[Any]]:
    inner = next((key for key in _INNER if isinstance(content, dict) and key in content), None)
    content = content if inner is None else content[inner]
    items = content.items() if isinstance(content, dict) else ()
    # MindSpore keeps words as tensors too.
    tensors = {
        str(name): value
        for name, value in items
        if isinstance(value, np.ndarray) and value.dtype.kind != "U"
    }
    if not tensors:
        raise InputError(f"{path}: expected tensors by name (a state dict), found none")
    return tensors
