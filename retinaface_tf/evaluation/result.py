"""What an evaluation says: three lines, and a JSON file with everything that they depend on."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

import retinaface_tf
from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import GroundTruth

REPORT_FILE = "eval.json"
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Evaluated:
    """What was evaluated, against what, and how it came about."""

    source: str  # weights, an exported model, or predictions
    protocol: str | None  # the sizes of images; None for predictions that were there before
    predictions: Mapping[str, ArrayLike]  # image -> [N, 5], x y w h in pixels and score
    truth: Mapping[str, GroundTruth]
    saved: Path | None = None  # where the predictions lie, if they do
    seconds: float = 0.0  # that predicting took
    speed: Mapping[str, float] | None = None  # part of the work -> milliseconds an image


def summary(ap: Mapping[str, float]) -> str:
    """The three lines of AP, in the seed's words."""
    return "\n".join(f"{name.capitalize():<6} Val AP : {value:.4f}" for name, value in ap.items())


def write_report(
    folder: Path, config: Config, evaluated: Evaluated, ap: Mapping[str, float]
) -> dict[str, Any]:
    """Writes `eval.json` into a folder, which is made if it is not there.

    Args:
        folder: of the results.
        config: goes into the report whole.
        evaluated: what was evaluated.
        ap: by set.

    Returns:
        What was written. `predictions` is where the detections lie, relative to the folder if below
        it, and None if they were not kept; `made_by` is the report of whoever made the predictions
        that were scored, where it lies beside them.
    """
    saved = evaluated.saved
    report = {
        "ap": dict(ap),
        "source": evaluated.source,
        "sha256": fingerprints(evaluated.source),
        "protocol": evaluated.protocol,
        "images": len(evaluated.truth),
        "seconds": round(evaluated.seconds, 1),
        "speed": evaluated.speed and dict(evaluated.speed),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "retinaface_tf": retinaface_tf.__version__,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        "predictions": saved and _relative(saved, folder),
        "made_by": _maker(saved) if saved and evaluated.protocol is None else None,
        "config": config.as_dict(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def read_report(path: Path) -> dict[str, Any]:
    """Reads what `write_report` has written.

    Raises:
        InputError: no such file, or something else.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not JSON"
        raise InputError(f"{path}: cannot read a report ({reason})") from None
    if not isinstance(report, dict) or not {"ap", "predictions", "config"} <= report.keys():
        raise InputError(f"{path}: expected an {REPORT_FILE} of eval.py, with `predictions`")
    return report


def fingerprints(source: str) -> dict[str, str]:
    """SHA-256 by name of the files that a source of detections consists of.

    They are a file itself; the two of a checkpoint; those of an exported model. A folder of
    predictions, and a name that is no file here, have none.
    """
    with_hash = {}
    for file, name in _files_of(Path(source)):
        with file.open("rb") as content:
            with_hash[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return with_hash


def _files_of(path: Path) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, path.name
    elif (path / "saved_model.pb").is_file():
        for file in sorted([path / "saved_model.pb", *(path / "variables").glob("*")]):
            yield file, str(file.relative_to(path))
    elif not path.is_dir():
        for file in sorted(path.parent.glob(f"{path.name}.*")):  # TensorFlow's checkpoints
            yield file, file.name


def _relative(path: Path, folder: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _maker(saved: Path) -> dict[str, Any] | None:
    """The report beside predictions that are its own."""
    beside = saved.resolve().parent / REPORT_FILE
    try:
        report = read_report(beside)
    except InputError:
        return None
    kept = report["predictions"]
    return report if kept and (beside.parent / kept).resolve() == saved.resolve() else None
