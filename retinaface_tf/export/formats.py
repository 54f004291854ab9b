"""Exports detectors: the table of formats, and the steps that all formats share."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # import TensorFlow, for which the command's flags should not wait
    from retinaface_tf.export.parity import ParityCheck
    from retinaface_tf.export.versions import NewVersion
    from retinaface_tf.model.detector import GraphDetector
    from retinaface_tf.serving.metadata import Metadata

PARITY_LOG = "retinaface_tf.export.parity"  # logs the figures of each comparison, as details

# Writes a detector to a new version, checks the files, and returns the parity figures.
Write = Callable[["GraphDetector", "NewVersion", "Metadata", "ParityCheck"], dict[str, Any]]


@dataclass(frozen=True)
class Format:
    """Describes a format of the table.

    Attributes:
        folder: default folder for the model's versions. Each format has its own, as a server loads
            the newest version in a folder.
        files: pattern of the file names that mark a version in this format.
        load_writer: imports the function that writes the format, and with it TensorFlow.
    """

    folder: str
    files: str
    load_writer: Callable[[], Write]


def _saved_model() -> Write:
    from retinaface_tf.export.savedmodel import write_saved_model_version

    return write_saved_model_version


def _onnx() -> Write:
    from retinaface_tf.export.onnx import write_onnx_version

    return write_onnx_version


def _litert() -> Write:
    from retinaface_tf.export.litert import write_litert_version

    return write_litert_version


log = logging.getLogger(__name__)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "savedmodel": Format("models/retinaface", "saved_model.pb", _saved_model),
        "onnx": Format("models/retinaface_onnx", "*.onnx", _onnx),
        "litert": Format("models/retinaface_litert", "*.tflite", _litert),
    }
)


def export_model(
    detector: "GraphDetector",
    out: str | Path | None = None,
    format: str = "savedmodel",
    *,
    source: str = "a detector",
    keep: int | None = None,
) -> Path:
    """Exports a detector as the next version of a model: `out/1`, then `out/2`, and so on.

    Before it becomes a version, the export is compared with the detector on images that the
    detector's config names.

    Args:
        detector: with limits on candidates and detections.
        out: folder of the versions; None is the format's default folder.
        format: a key of FORMATS.
        source: origin of the detector's weights in words, for the model's metadata.
        keep: how many of the newest versions to keep; None keeps all.

    Returns:
        The folder of the new version.

    Raises:
        InputError: the detector has no limits, the folder cannot be written or holds another
            format, or an extra is not installed.
        DoesNotHold: the export's answers differ from the detector's; no version was written.
    """
    from retinaface_tf.export.parity_images import open_parity_check
    from retinaface_tf.export.provenance import collect_metadata
    from retinaface_tf.export.versions import new_version, refuse_other_files

    entry = FORMATS[format]
    models = Path(out or entry.folder)
    metadata, write = collect_metadata(detector, source), entry.load_writer()
    refuse_other_files(models, entry.files)
    with new_version(models, keep) as version, open_parity_check(detector.config) as check:
        parity = write(detector, version, metadata, check)
        replace(metadata, parity=parity).save(version.folder)
    log.info("%s answers like its source: %s", format, check.summary())
    return version.folder
