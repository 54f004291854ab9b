"""SavedModel: the detector behind its signatures, compared with itself before it is a version."""

from pathlib import Path

import tensorflow as tf

from retinaface_tf.export.gate import Gate, check_limits, open_gate
from retinaface_tf.export.metadata import describe, write_metadata
from retinaface_tf.export.parity import SAME_GRAPH, Parity, on_pixels
from retinaface_tf.export.versions import check_kind, new_version
from retinaface_tf.model.detector import Detector
from retinaface_tf.runtimes.saved_model import ExportedDetector
from retinaface_tf.serving.signatures import SIGNATURES, Service
from retinaface_tf.serving.warmup import write_warmup


def export_saved_model(
    detector: Detector, models: Path, *, source: str, keep: int | None = None
) -> Path:
    """Writes the next version of a model: `models/1`, then `models/2`, and so on.

    Args:
        detector: with limits; its config names the images on which the export has to answer as
            it does.
        models: the folder of the versions.
        source: where the detector's weights are from, in words.
        keep: how many of the newest versions to keep; None keeps all.

    Raises:
        InputError: the detector has no limits, or the folder cannot be written.
        DoesNotHold: the export answers otherwise than the detector; there is no new version then.
    """
    config = detector.config
    check_limits(config)
    check_kind(models, "saved_model.pb")
    service = Service(detector)
    with new_version(models, keep) as version, open_gate(on_pixels(detector), config) as gate:
        functions = {name: getattr(service, name) for name in SIGNATURES}
        tf.saved_model.save(service, str(version.folder), signatures=functions)
        parity = _check(gate, version.folder)
        write_metadata(version.folder, describe(detector.network, config, source, parity))
        write_warmup(version.folder, models.name, config.detector)
    return version.folder


def _check(gate: Gate, version: Path) -> Parity:
    """Compares both signatures that see images as they are with the source."""
    exported = ExportedDetector(version)
    gate.check("SavedModel, detect_images", on_pixels(exported), SAME_GRAPH)
    return gate.check(
        "SavedModel, serving_default",
        lambda file: exported.detect_bytes([file.read_bytes()]),
        SAME_GRAPH,
    )
