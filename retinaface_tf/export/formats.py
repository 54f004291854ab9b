"""The table of what a detector can be exported for; one more is one more entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retinaface_tf.model.detector import Detector


@dataclass(frozen=True)
class Format:
    """An entry of the table.

    Attributes:
        folder: of the model's versions where none is named. Each format has its own, as a server
            loads the newest version of a folder.
        module: that writes it.
        function: of the module; takes the detector, the folder, `source` and `keep`.
    """

    folder: str
    module: str
    function: str

    def load(self) -> Callable[..., Path]:
        """Imports the function, and with it TensorFlow."""
        function: Callable[..., Path] = getattr(import_module(self.module), self.function)
        return function


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "savedmodel": Format(
            "models/retinaface", "retinaface_tf.export.savedmodel", "export_saved_model"
        ),
        "onnx": Format("models/retinaface_onnx", "retinaface_tf.export.onnx", "export_onnx"),
        "litert": Format(
            "models/retinaface_litert", "retinaface_tf.export.litert", "export_litert"
        ),
    }
)


def export_model(
    detector: "Detector",
    out: str | Path | None = None,
    format: str = "savedmodel",
    *,
    source: str = "a detector",
    keep: int | None = None,
) -> Path:
    """Exports a detector and checks that the export answers as the detector does.

    Args:
        detector: with limits on candidates and detections.
        out: folder of the versions; None is that of the format's table entry.
        format: a key of FORMATS.
        source: where the detector's weights are from, in words, for the model's metadata.
        keep: how many of the newest versions to keep; None keeps all.

    Returns:
        The folder of the new version.

    Raises:
        InputError: the detector has no limits, the folder cannot be written or has models of
            another format, or an extra is not installed.
        DoesNotHold: the export answers otherwise than the detector; no version was written.
    """
    entry = FORMATS[format]
    return entry.load()(detector, Path(out or entry.folder), source=source, keep=keep)
