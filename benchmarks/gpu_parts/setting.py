"""Holds what the parts share: folder, sizes, and what the first part found."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from gpu_parts.clock import Timing
from gpu_parts.rows import Row
from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config


@dataclass(frozen=True)
class Setting:
    """Says where a part works, and at what size.

    Attributes:
        folder: for the drawn faces, and for files that parts pass on.
        smoke: whether everything is tiny and runs on a CPU.
        biubug6: a checkout of biubug6/Pytorch_Retinaface.
    """

    folder: Path
    smoke: bool
    biubug6: str | None

    @property
    def seconds(self) -> float:
        """Returns about how long the measurement of a row takes."""
        return 0.0 if self.smoke else 3.0

    @property
    def rows_file(self) -> Path:
        """Returns the file for the rows of the running part."""
        return self.folder / "rows.jsonl"

    def as_arguments(self) -> list[str]:
        """Returns the arguments of `from_arguments`, for the process of a part."""
        return [str(self.folder), str(self.smoke), *([self.biubug6] if self.biubug6 else [])]

    @classmethod
    def from_arguments(cls, folder: str, smoke: str, biubug6: str | None = None) -> "Setting":
        return cls(Path(folder), smoke == str(True), biubug6)

    def training_row(self, name: str, config: Config, timing: Timing) -> Row:
        """Returns the row of a training step; its backward pass counts as two forward passes."""
        facts = json.loads((self.folder / "facts.json").read_text())
        images = config.train.global_batch
        done = 3 * facts["operations"][config.model.backbone] * images
        speed = done / statistics.median(timing.ms) * 1e3
        return Row(name, images, timing.ms, speed / facts["matrix_rate"], timing.peak_mib)


@dataclass(frozen=True)
class Case:
    """Describes a training step to measure."""

    backbone: str
    precision: str
    batch: int
    xla: bool = False
    deterministic: bool = False
    synchronised: bool = False  # batch norm written out, as for several replicas

    def __str__(self) -> str:
        options = [name for name in ("xla", "deterministic", "synchronised") if getattr(self, name)]
        return " ".join([self.backbone, self.precision, str(self.batch), *options])


SIDES = {"resnet50": 840, "mobilenet025": 640}
_CONFIGS = {"resnet50": "res50", "mobilenet025": "mobilenet025"}
SMOKE_SIDE, SMOKE_BATCH = 64, 2


def training_config(case: Case, setting: Setting) -> Config:
    """Returns the config of a case, with the drawn data set."""
    values = {
        "data.root": setting.folder / "faces",
        "data.image_size": side_of(case.backbone, setting),
        "model.backbone": "mobilenet025" if setting.smoke else case.backbone,
        "model.precision": case.precision,
        "train.batch_per_device": SMOKE_BATCH if setting.smoke else case.batch,
        "train.num_devices": 1,
        "train.devices": [0],
        "train.xla": str(case.xla).lower(),
        "train.deterministic": str(case.deterministic).lower(),
    }
    return load_config(_CONFIGS[case.backbone], [f"{key}={value}" for key, value in values.items()])


def side_of(backbone: str, setting: Setting) -> int:
    """Returns the side in pixels of the images that a backbone trains on."""
    return SMOKE_SIDE if setting.smoke else SIDES[backbone]
