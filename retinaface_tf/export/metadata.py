"""What a version says of itself: `assets.extra/retinaface.json`, which servers pass over."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import retinaface_tf
from retinaface_tf.config import Config
from retinaface_tf.errors import ImageError
from retinaface_tf.evaluation.result import EVAL_FILE
from retinaface_tf.export.parity import Parity
from retinaface_tf.serving.warmup import EXTRA
from retinaface_tf.structures import LANDMARKS

METADATA_FILE = "retinaface.json"


def describe(
    network: keras.Model, config: Config, source: str, parity: Parity | None
) -> dict[str, Any]:
    """What anybody who uses an export of this network should know.

    Args:
        network: what is exported.
        config: of network and detector.
        source: where the weights are from.
        parity: how the export compares to its source.
    """
    detector = config.detector
    return {
        "source": source,
        "weights_sha256": hash_of_weights(network),
        "evaluation": _evaluation(config, source),
        "parity": None if parity is None else parity._asdict(),
        "thresholds": {"score_threshold": detector.score_threshold, "nms_iou": detector.nms_iou},
        "max_detections": detector.max_detections,
        "boxes": "x1 y1 x2 y2",
        "landmarks": list(LANDMARKS),
        "errors": {error.value: error.name for error in ImageError},
        "versions": {
            "retinaface_tf": retinaface_tf.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "config": config.as_dict(),
    }


def _evaluation(config: Config, source: str) -> dict[str, Any] | None:
    """AP by protocol and date, if what `eval.py` wrote last is of these weights."""
    report = Path(config.eval.out or Path(config.train.workdir) / "eval") / EVAL_FILE
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        if found["source"] != source:
            return None
        return {name: found[name] for name in ("ap", "protocol", "date")}
    except (OSError, ValueError, KeyError):
        return None


def hash_of_weights(network: keras.Model) -> str:
    """SHA-256 of all variables: path and bytes of each, by path, whatever file they came from."""
    digest = hashlib.sha256()
    for variable in sorted(network.variables, key=lambda variable: variable.path):
        digest.update(variable.path.encode() + b"\0")
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()


def write_metadata(version: Path, metadata: Mapping[str, Any]) -> None:
    """Writes the file into a version's folder."""
    folder = version / EXTRA
    folder.mkdir(exist_ok=True)
    text = json.dumps(metadata, indent=2) + "\n"
    (folder / METADATA_FILE).write_text(text, encoding="utf-8")


def read_metadata(version: Path) -> dict[str, Any]:
    """What `write_metadata` wrote.

    Raises:
        OSError: there is no such file.
    """
    return json.loads((version / EXTRA / METADATA_FILE).read_text(encoding="utf-8"))
