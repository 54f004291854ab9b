"""Reads the weights files of other projects, and renames their tensors to one spelling."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.names import BODY, canonical
from retinaface_tf.model.weights.state_dict import StateDict, read_state_dict


@dataclass(frozen=True)
class ImportedTensors:
    """Holds the tensors of a detector or a backbone, named as `names` spells them."""

    path: Path
    file_kind: str  # such as PyTorch
    is_detector: bool  # False for a backbone alone
    tensors: dict[str, NDArray[Any]]
    left_out: tuple[str, ...]  # names in the file that a detector does not use

    @property
    def kind(self) -> str:
        return "detector" if self.is_detector else "backbone"


def read_imported(path: Path) -> ImportedTensors:
    """Reads a detector or a backbone from a file of another project.

    Raises:
        InputError: the file is of no known kind, or is broken, two of its tensors have the same
            name here, or a number in it is not finite.
    """
    state = read_state_dict(path)
    names = {original: canonical(original) for original in state.tensors}
    is_detector = any(name and name.startswith((BODY, "fpn.")) for name in names.values())
    no_part = (original for original, name in names.items() if name is None)
    return ImportedTensors(
        path,
        state.kind,
        is_detector,
        _rename(state, path, names, "" if is_detector else BODY),
        # PyTorch counts the batches of every norm: these are useless here, and too many to list.
        tuple(name for name in no_part if not name.endswith(".num_batches_tracked")),
    )


def _rename(
    state: StateDict, path: Path, names: dict[str, str | None], prefix: str
) -> dict[str, NDArray[Any]]:
    """Returns the tensors that have a name here, under `prefix` and that name."""
    tensors: dict[str, NDArray[Any]] = {}
    for original, name in names.items():
        if name is None:
            continue
        if prefix + name in tensors:
            raise InputError(f"{path}: expected {prefix + name} once, found it in two spellings")
        if not np.isfinite(state.tensors[original]).all():
            raise InputError(f"{path}: expected finite numbers, {original} has others")
        tensors[prefix + name] = state.tensors[original]
    return tensors
