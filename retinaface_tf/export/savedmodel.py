"""Writes SavedModels: the detector behind its signatures, with warm-up requests."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from retinaface_tf.export.parity import (
    SAME_GRAPH,
    ParityCheck,
    decode_and_detect,
    decode_and_detect_all_sizes,
)
from retinaface_tf.export.versions import NewVersion
from retinaface_tf.files import check_literal
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.folding import fold_batch_norm
from retinaface_tf.model.freezing import FrozenNetwork, freeze
from retinaface_tf.runtimes.saved_model import SavedModelDetector
from retinaface_tf.serving.metadata import Metadata
from retinaface_tf.serving.signatures import SIGNATURES, Service
from retinaface_tf.serving.warmup import write_warmup


def write_saved_model_version(
    detector: GraphDetector, version: NewVersion, metadata: Metadata, check: ParityCheck
) -> dict[str, Any]:
    """Writes a SavedModel, and checks the two signatures that see images at their own size.

    Args:
        detector: the detector to export.
        version: the folder to write.
        metadata: of the export, stored beside the graph.
        check: the parity check.

    Returns:
        The parity figures of `serving_default`.

    Raises:
        InputError: TensorFlow cannot read a model from the folder.
        DoesNotHold: a signature's answers differ from the detector's.
    """
    check_literal(version.folder)
    service = Service(GraphDetector(served_network(detector.network), detector.config))
    functions = {name: getattr(service, name) for name in SIGNATURES}
    tf.saved_model.save(service, str(version.folder), signatures=functions)
    exported = SavedModelDetector(version.folder, detector.config)
    parity = check_saved_model(detector, exported, check)
    write_warmup(version.folder, version.model, detector.config.detector)
    return parity


def served_network(network: keras.Model) -> keras.Model | FrozenNetwork:
    """Returns a network as SavedModels have it: with fewer operations, and the same answers."""
    return freeze(fold_batch_norm(network))


def check_saved_model(
    detector: GraphDetector, exported: SavedModelDetector, check: ParityCheck
) -> dict[str, Any]:
    """Compares the signatures for pixels and for bytes with the detector.

    Returns:
        The parity figures of `serving_default`.

    Raises:
        DoesNotHold: a signature's answers differ from the detector's.
    """
    source = decode_and_detect(detector)
    by_pixels = decode_and_detect(exported)
    check.require("SavedModel, detect_images", source, by_pixels, SAME_GRAPH)

    def by_bytes(file: Path) -> Any:
        return exported.detect_bytes([file.read_bytes()])

    all_sizes = decode_and_detect_all_sizes(detector, detector.config)
    return check.require("SavedModel, serving_default", all_sizes, by_bytes, SAME_GRAPH).as_dict()
