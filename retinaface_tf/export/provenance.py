"""Collects an export's metadata: hash of the weights, AP if measured, versions."""

import hashlib
from datetime import datetime

import keras
import tensorflow as tf

import retinaface_tf
from retinaface_tf.config import Config, DetectorConfig
from retinaface_tf.errors import ImageError, InputError
from retinaface_tf.evaluation.result import EVAL_FILE, Evaluation
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.serving.metadata import DefaultThresholds, MeasuredAP, Metadata
from retinaface_tf.structures import LANDMARKS


def collect_metadata(detector: GraphDetector, source: str) -> Metadata:
    """Collects the metadata of an export before the parity check.

    Args:
        detector: the detector to export.
        source: origin of the weights, in words.

    Raises:
        InputError: the detector has no limits on candidates and detections.
    """
    config, limits = detector.config, detector.config.detector
    return Metadata(
        source=source,
        weights_sha256=hash_weights(detector.network),
        evaluation=_measured_ap(config, source),
        parity=None,
        thresholds=DefaultThresholds(limits.score_threshold, limits.nms_iou),
        max_detections=_answer_size(limits),
        boxes="x1 y1 x2 y2",
        landmarks=LANDMARKS,
        errors={error.value: error.name for error in ImageError},
        versions={
            "retinaface_tf": retinaface_tf.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        config=config.as_dict(),
    )


def _answer_size(limits: DetectorConfig) -> int:
    """Returns how many detections an answer has room for.

    Raises:
        InputError: the detector has no limits, as in evaluation.
    """
    if limits.top_k is None or limits.max_detections is None:
        raise InputError(
            "detector.top_k and detector.max_detections: expected numbers, as a served answer has "
            f"a fixed size, found {limits.top_k} and {limits.max_detections}"
        )
    return limits.max_detections


def _measured_ap(config: Config, source: str) -> MeasuredAP | None:
    """Returns the AP that `eval.py` wrote last, if it is that of these weights."""
    try:
        found = Evaluation.load(config.evaluation_folder / EVAL_FILE)
    except InputError:
        return None
    return MeasuredAP(found.ap, found.protocol, found.date) if found.source == source else None


def hash_weights(network: keras.Model) -> str:
    """Returns the SHA-256 of the path and bytes of all variables, sorted by path."""
    digest = hashlib.sha256()
    for variable in sorted(network.variables, key=lambda variable: variable.path):
        digest.update(variable.path.encode() + b"\0")
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
