"""Adds versions to a model's folder, `models/1`, `models/2`, as TensorFlow Serving expects."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from retinaface_tf.errors import InputError
from retinaface_tf.files import scratch_folder
from retinaface_tf.runtimes.locate import versions


class NewVersion:
    """Locates a version that is being written.

    Attributes:
        model: name of the model, which is the name of the folder of its versions.
        folder: where to write the version and, after `new_version`, where it is.
    """

    def __init__(self, model: str, folder: Path):
        self.model = model
        self.folder = folder


@contextmanager
def new_version(models: Path, keep: int | None = None) -> Iterator[NewVersion]:
    """Adds the next version to a model's folder when the `with` block ends without an error.

    The version is written to a hidden folder and then renamed, so that a server never loads a
    partial version. Nothing is left after an error.

    Args:
        models: the folder of the versions, created if absent.
        keep: how many of the newest versions to keep, the new one included; None keeps all.

    Raises:
        InputError: the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            # A server ignores the hidden folder, as its name is not a number.
            scratch = stack.enter_context(scratch_folder(models))
        except OSError as error:
            raise InputError(f"{models}: cannot write a model there ({error.strerror})") from None
        version = NewVersion(models.name, scratch)
        yield version
        version.folder = _take_next(scratch, models)
    if keep is not None:
        for old in versions(models)[:-keep]:
            shutil.rmtree(old)


def _take_next(scratch: Path, models: Path) -> Path:
    """Renames the version to the next number, which another export may take first."""
    while True:
        taken = versions(models)
        number = int(taken[-1].name) + 1 if taken else 1
        try:
            return scratch.rename(models / str(number))
        except FileExistsError:
            continue
        except OSError as error:
            if not (models / str(number)).exists():
                raise error from None


def refuse_other_files(models: Path, pattern: str) -> None:
    """Refuses a folder with versions of another format, as a server loads the newest.

    Raises:
        InputError: a version has no file that matches the pattern.
    """
    for version in versions(models) if models.is_dir() else []:
        if not list(version.glob(pattern)):
            raise InputError(
                f"{models}: expected versions with {pattern}, found {version} without; choose "
                f"another --out"
            )
