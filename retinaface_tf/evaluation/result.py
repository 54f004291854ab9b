"""Holds the result of an evaluation, which `eval.json` records with all that it depends on."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import SETS

EVAL_FILE = "eval.json"

log = logging.getLogger(__name__)


def _of_all_sets(ap: dict[str, float]) -> dict[str, float]:
    if set(ap) != set(SETS):
        raise ValueError(f"expected the sets {', '.join(SETS)}")
    return ap


def _nameable(path: Path) -> Path:
    if b"\0" in os.fsencode(path):  # raises if a character is not possible in a file name
        raise ValueError("expected the path of a file")
    return path


Ap = Annotated[dict[str, float], AfterValidator(_of_all_sets)]
Duration = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FilePath = Annotated[Path, AfterValidator(_nameable)]


@dataclass(frozen=True)
class Evaluation:
    """Holds AP and how it was measured; the fields are the keys of `eval.json`.

    Examples:
        >>> evaluation = evaluate(load_detector("runs/mine"), "data/widerface")
        >>> evaluation.save(Path("runs/mine/eval"))
        >>> Evaluation.load(Path("runs/mine/eval/eval.json")).ap == evaluation.ap
        True

    Attributes:
        ap: AP by set (easy, medium, hard), 0..1.
        source: path of the weights, the exported model or the predictions.
        sha256: of each file of the source.
        protocol: of image sizes; None if existing predictions were scored.
        images: number of images of the ground truth.
        seconds: spent on detection.
        speed: milliseconds per image, by stage of detection; None if it was not timed.
        date: ISO 8601.
        retinaface_tf: version of this package.
        versions: of Python and of packages.
        predictions: folder or zip of the detections; None if they were not kept.
        made_by: the evaluation that made the scored predictions, if known.
        config: of the run.
    """

    ap: Ap
    source: str
    sha256: dict[str, str]
    protocol: str | None
    images: Annotated[int, Field(ge=0, le=10**9)]
    seconds: float
    speed: dict[str, Duration] | None
    date: str
    retinaface_tf: str
    versions: dict[str, str]
    predictions: FilePath | None
    made_by: "Evaluation | None"
    config: Config

    @property
    def maker(self) -> "Evaluation":
        """Returns the evaluation that made the predictions: `made_by` or, without it, this one."""
        return self.made_by or self

    @property
    def minute(self) -> str:
        """Returns the date as pages show it, such as 2026-11-26 14:19."""
        return self.date[:16].replace("T", " ")

    def save(self, folder: Path) -> None:
        """Writes `eval.json` into a folder, which is created if it does not exist.

        In the file, `predictions` is relative to the folder if it is below the folder.
        """
        content = _ADAPTER.dump_python(self, mode="json")
        if self.predictions is not None:
            content["predictions"] = _relative(self.predictions, folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / EVAL_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path) -> "Evaluation":
        """Reads an `eval.json`; its `predictions` becomes a path from the working directory.

        Raises:
            InputError: the file is missing or of another kind; the message names the wrong key.
        """
        try:
            found = _ADAPTER.validate_python(json.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:  # before ValueError, of which it is a kind
            fault = error.errors()[0]
            key = ".".join(map(str, fault["loc"]))
            expected = f"expected an {EVAL_FILE} from eval.py"
            raise InputError(f"{path}: {key}: {expected} ({fault['msg']})") from None
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or "not JSON"
            raise InputError(f"{path}: cannot read an evaluation ({reason})") from None
        if found.predictions is None:
            return found
        return replace(found, predictions=path.parent / found.predictions)


_ADAPTER = TypeAdapter(Evaluation)


def format_ap(ap: Mapping[str, float]) -> str:
    """Formats AP with one line per set, in the words of MindSpore's eval.py."""
    return "\n".join(f"{name.capitalize():<6} Val AP : {value:.4f}" for name, value in ap.items())


def find_maker(predictions: Path) -> Evaluation | None:
    """Finds the evaluation that made predictions, by the `eval.json` beside their folder."""
    file = predictions.resolve().parent / EVAL_FILE
    if not file.exists():
        return None
    try:
        maker = Evaluation.load(file)
    except InputError as error:
        log.warning("%s; the report cannot say how the predictions were made", error)
        return None
    kept = maker.predictions
    return maker if kept is not None and kept.resolve() == predictions.resolve() else None


def fingerprints(source: str) -> dict[str, str]:
    """Computes the SHA-256 of the files of a source of detections, by name.

    The files are a weights file itself, the parts of a TensorFlow checkpoint, or those of an
    exported model. A folder of predictions, or a name that is not a local file, has none.
    """
    digests = {}
    for file, name in _files_of(Path(source)):
        with file.open("rb") as content:
            digests[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return digests


def _files_of(path: Path) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, path.name
    elif (path / "saved_model.pb").is_file():
        for file in sorted([path / "saved_model.pb", *(path / "variables").glob("*")]):
            yield file, str(file.relative_to(path))
    elif not path.is_dir():
        for file in sorted(path.parent.glob(f"{path.name}.*")):  # TensorFlow checkpoints
            yield file, file.name


def _relative(path: Path, folder: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
