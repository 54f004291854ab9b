"""Lists the weights shipped with the package, by name; imports no TensorFlow.

Three files in `shipped` make an entry of the table: NAME.weights.h5, NAME.yaml, which is the
config, and NAME.json, with the fields of NamedWeights. `benchmarks/ship_weights.py` writes them.
"""

import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from retinaface_tf.config import Fraction

DEFAULT_WEIGHTS = "mobilenet025"
# SPDX expression for weights trained on WIDER FACE; the text is in LICENSE-WEIGHTS.
LICENCE = "LicenseRef-WIDERFACE-NonCommercialResearch"
FOLDER = Path(__file__).with_name("shipped")

_RULES = ConfigDict(extra="forbid")

log = logging.getLogger(__name__)


@dataclass(frozen=True, config=_RULES)
class Ap:
    """Holds AP on the three sets of WIDER FACE."""

    easy: Fraction
    medium: Fraction
    hard: Fraction

    def __str__(self) -> str:
        return " / ".join(f"{ap:.4f}"[1:] for ap in (self.easy, self.medium, self.hard))


@dataclass(frozen=True, kw_only=True, config=_RULES)
class NamedWeights:
    """Describes weights shipped with the package, and how they were made."""

    name: str
    backbone: str
    sha256: str  # of the file
    ap: dict[str, Ap]  # of the shipped file, by protocol
    ap_images: int  # of WIDER FACE val
    licence: str  # SPDX expression
    author: str  # who trained them
    date: str  # ISO 8601, of the file
    recipe: str  # the training in words; NAME.yaml has all settings
    commit: str | None  # of the code that trained them; with `+` if files differed from it
    steps: int
    images: int  # trained on
    faces: int
    labels_sha256: str  # as in the run's run.json
    images_sha256: str  # of the images' names and contents, in the labels' order

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}.weights.h5"

    @property
    def config(self) -> Path:
        return FOLDER / f"{self.name}.yaml"

    def __str__(self) -> str:
        """Formats the weights as a row of the table."""
        measured = "; ".join(f"{protocol} {ap}" for protocol, ap in self.ap.items())
        return (
            f"{self.name}: {self.backbone} of {self.author}, {self.date}\n"
            f"  AP on {self.ap_images} images of WIDER FACE val: {measured}\n"
            f"  licence {self.licence}\n"
            f"  {self.file}\n"
            f"  SHA-256 {self.sha256}"
        )


ENTRY = TypeAdapter(NamedWeights)


@functools.cache
def named_weights() -> Mapping[str, NamedWeights]:
    """Reads the table of named weights, by name."""
    entries = [ENTRY.validate_json(file.read_bytes()) for file in sorted(FOLDER.glob("*.json"))]
    return MappingProxyType({entry.name: entry for entry in entries})


def find_named(source: str | Path) -> Path | None:
    """Finds the file of named weights; None if there is no such name."""
    entry = named_weights().get(str(source))
    return None if entry is None else entry.file


def weights_in(file: Path) -> NamedWeights | None:
    """Finds the named weights that a file holds; None for any other file."""
    return next((entry for entry in named_weights().values() if entry.file == file), None)


@functools.cache
def log_licence(file: Path) -> None:
    """Logs, once per process, what named weights may be used for, if `file` holds any."""
    if (entry := weights_in(file)) is not None:
        message = "%s: weights for non-commercial research only (%s; see LICENSE-WEIGHTS)"
        log.warning(message, entry.name, entry.licence)
