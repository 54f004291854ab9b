"""Finds what a source names: a run's folder, weights by file or name, an exported model.

Imports no TensorFlow.
"""

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from retinaface_tf.config_file import RUN_CONFIG
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.zoo import find_named

CHECKPOINTS = "checkpoints"  # subfolder of a run's folder
LITERT_DEFAULT = "model_float32.tflite"  # file to take from a version's folder


class Kind(Enum):
    """Lists the kinds of files and folders that hold a detector."""

    RUN = auto()
    WEIGHTS = auto()
    SAVED_MODEL = auto()
    ONNX = auto()
    LITERT = auto()


RUNTIME_FILES = {".onnx": Kind.ONNX, ".tflite": Kind.LITERT}


@dataclass(frozen=True)
class ModelPath:
    """Tells what is at a path: the folder of a run or SavedModel, or a file of another kind."""

    kind: Kind
    path: Path

    @property
    def is_exported(self) -> bool:
        """Tells whether the model carries its own config and thresholds."""
        return self.kind not in (Kind.RUN, Kind.WEIGHTS)

    @property
    def needs_tensorflow(self) -> bool:
        """Tells whether TensorFlow runs the model."""
        return self.kind not in (Kind.ONNX, Kind.LITERT)


def find_model(source: str | Path) -> ModelPath:
    """Finds what a source names; in a model's folder, the newest version.

    A path that holds a model wins over a name.

    Args:
        source: a run's folder; a weights file; an exported model: its folder, the folder of one
            version, an `.onnx` or a `.tflite` file; or the name of weights shipped with the package
            or of a Hugging Face hub repository.

    Raises:
        InputError: the path is a folder, but none of these.
    """
    path = Path(source)
    in_folder = _find_in_folder(path) if path.is_dir() else None
    if in_folder is not None:
        return in_folder
    if not path.is_file() and (named := find_named(source)) is not None:
        return ModelPath(Kind.WEIGHTS, named)
    if path.is_dir():
        raise InputError(
            f"{path}: expected a run's folder, with {RUN_CONFIG}, or an exported model, with "
            f"saved_model.pb, an .onnx or a .tflite file; found neither"
        )
    return ModelPath(RUNTIME_FILES.get(path.suffix, Kind.WEIGHTS), path)


def _find_in_folder(path: Path) -> ModelPath | None:
    """Finds a run or an exported model in a folder; None if it holds neither."""
    if (path / RUN_CONFIG).is_file() or (path / CHECKPOINTS).is_dir():
        return ModelPath(Kind.RUN, path)
    version = newest_version(path)
    if (version / "saved_model.pb").is_file():
        return ModelPath(Kind.SAVED_MODEL, version)
    files = [file for file in sorted(version.iterdir()) if file.suffix in RUNTIME_FILES]
    if not files:
        return None
    file = version / LITERT_DEFAULT if version / LITERT_DEFAULT in files else files[0]
    return ModelPath(RUNTIME_FILES[file.suffix], file)


def run_of(weights: Path) -> Path | None:
    """Finds the folder of the run to which a weights file belongs; None if it belongs to none."""
    folders = [weights.parent]
    if weights.parent.name == CHECKPOINTS:
        folders.append(weights.parent.parent)
    return next((folder for folder in folders if (folder / RUN_CONFIG).is_file()), None)


def newest_version(model: Path) -> Path:
    """Returns the newest version in a model's folder, or the folder itself if it has none."""
    return versions(model)[-1] if versions(model) else model


def versions(model: Path) -> list[Path]:
    """Lists the versions in a model's folder, oldest first."""
    found = [path for path in model.iterdir() if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))
