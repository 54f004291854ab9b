"""Reads and writes the metadata of an exported model: what it is, and where it is from.

Each version keeps the metadata in `assets.extra/retinaface.json`, in a folder that servers ignore;
ONNX and LiteRT files also contain the same JSON. Imports no TensorFlow, as ONNX and LiteRT run
without it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from retinaface_tf.config import Config

EXTRA = "assets.extra"
METADATA_FILE = "retinaface.json"


@dataclass(frozen=True)
class MeasuredAP:
    """Holds the AP of the exported weights, as `eval.py` measured it.

    Attributes:
        ap: by name of the set: easy, medium, hard.
        protocol: of image sizes; None if existing predictions were scored.
        date: ISO 8601, of the evaluation.
    """

    ap: dict[str, float]
    protocol: str | None
    date: str


@dataclass(frozen=True)
class DefaultThresholds:
    """Holds the thresholds for requests that name none."""

    score_threshold: float
    nms_iou: float


@dataclass(frozen=True)
class Metadata:
    """Holds the metadata of an exported model.

    Attributes:
        source: origin of the weights, in words.
        weights_sha256: hash of all variables, whatever file they came from.
        evaluation: AP of the weights, if it was measured.
        parity: figures of the parity check, as `export.parity.Parity.as_dict` names them, for
            LiteRT by precision; None inside ONNX and LiteRT files, written before the check.
        thresholds: of score and NMS.
        max_detections: `D`, the number of detections for which an answer has room.
        boxes: order of a box's coordinates.
        landmarks: names of the five points, in order.
        errors: names of the error codes.
        versions: of the packages that wrote the model.
        date: ISO 8601, of the export.
        config: section -> key -> value, as known to the version that wrote the model.
    """

    source: str
    weights_sha256: str
    evaluation: MeasuredAP | None
    parity: dict[str, Any] | None
    thresholds: DefaultThresholds
    max_detections: int
    boxes: str
    landmarks: tuple[str, ...]
    errors: dict[int, str]
    versions: dict[str, str]
    date: str
    config: dict[str, Any]

    def validated_config(self) -> Config:
        """Returns the config of the model.

        Raises:
            ValueError: this version of the package does not know the config's settings.
        """
        return TypeAdapter(Config).validate_python(self.config)

    def to_json(self, indent: int | None = None) -> str:
        """Returns the metadata as JSON."""
        return json.dumps(asdict(self), indent=indent)

    @staticmethod
    def from_json(text: str | bytes) -> "Metadata":
        """Parses what `to_json` returned.

        Raises:
            ValueError: the text is not JSON, or lacks a key.
        """
        return TypeAdapter(Metadata).validate_python(json.loads(text))

    def save(self, version: Path) -> None:
        """Writes `assets.extra/retinaface.json` into a version's folder."""
        folder = version / EXTRA
        folder.mkdir(exist_ok=True)
        (folder / METADATA_FILE).write_text(self.to_json(indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(version: Path) -> "Metadata":
        """Reads `assets.extra/retinaface.json` of a version's folder.

        Raises:
            OSError: there is no such file.
            ValueError: the file is not metadata.
        """
        return Metadata.from_json((version / EXTRA / METADATA_FILE).read_text(encoding="utf-8"))
