"""Exports LiteRT models in three precisions, checking float32 by parity and the others by AP.

Needs the extra `litert`.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import training_set
from retinaface_tf.data.decode import decode_image
from retinaface_tf.data.pipeline import TrainingData
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.export.litert_conversion import write_litert
from retinaface_tf.export.parity import (
    OTHER_RUNTIME,
    DetectFile,
    Parity,
    ParityCheck,
    decode_and_detect,
)
from retinaface_tf.export.versions import NewVersion
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.runtimes.litert import LiteRtDetector
from retinaface_tf.serving.metadata import Metadata
from retinaface_tf.structures import DetectionBatch

REPRESENTATIVE_IMAGES = 100  # of the training set
# AP that rounding may cost, on any of the three sets. On few images this is a rough measure, as one
# face more or less matters much.
MAX_AP_LOSS = {"float16": 0.01, "int8": 0.03}

log = logging.getLogger(__name__)


def write_litert_version(
    detector: GraphDetector, version: NewVersion, metadata: Metadata, check: ParityCheck
) -> dict[str, Any]:
    """Writes `model_float32.tflite` and the other precisions, and compares each with the detector.

    The models see squares of `data.image_size` pixels, and are compared with the detector on these
    squares. Without training images, from which int8 learns its ranges, int8 is left out.

    Args:
        detector: the detector to export.
        version: the folder to write.
        metadata: of the export, stored in each file.
        check: the parity check.

    Returns:
        The parity figures by precision.

    Raises:
        InputError: the extra `litert` is not installed.
        DoesNotHold: the answers of float32 differ from the detector's, or another precision loses
            too much AP.
    """
    side, images = detector.config.data.image_size, list(_representative(detector.config))
    source = _detect_on_squares(detector, side)
    parity = {}
    for file in write_litert(detector.network, side, version.folder, metadata, images):
        precision = file.stem.removeprefix("model_")
        export = decode_and_detect(LiteRtDetector(file))
        parity[precision] = _check(check, precision, source, export).as_dict()
    return parity


def _representative(config: Config) -> Iterator[NDArray[np.uint8]]:
    """Yields images of the training pipeline, uint8 [S, S, 3]."""
    try:
        records = training_set(config)
    except InputError as error:
        log.warning("no int8, as it needs training images for its ranges: %s", error)
        return
    data = TrainingData(records, config.data, batch=1, seed=config.train.seed)
    with data.explain(0, REPRESENTATIVE_IMAGES):
        for batch in data.batches().take(REPRESENTATIVE_IMAGES):
            yield batch.images[0].numpy()


def _detect_on_squares(detector: GraphDetector, side: int) -> DetectFile:
    def detect(file: Path) -> DetectionBatch:
        square, scale = letterbox(decode_image(tf.io.read_file(str(file))), side)
        return detector(square[None], scale)

    return detect


def _check(check: ParityCheck, precision: str, source: DetectFile, export: DetectFile) -> Parity:
    """Requires parity of float32, and of the other precisions that they keep their AP."""
    name = f"LiteRT, {precision}"
    if precision == "float32":
        return check.require(name, source, export, OTHER_RUNTIME)
    parity = check.measure(name, source, export, OTHER_RUNTIME)
    if parity.ap is None:
        log.warning("%s: not checked, as the images have no ground truth to measure AP", name)
        return parity
    of_source, of_export = parity.ap
    loss = max(of_source[key] - of_export[key] for key in of_source)
    if loss > MAX_AP_LOSS[precision]:
        raise DoesNotHold(
            f"{name}: loses {loss:.4f} AP, expected at most {MAX_AP_LOSS[precision]}; no "
            f"version was written"
        )
    return parity
