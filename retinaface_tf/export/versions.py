"""Versions of a model in its folder, `models/1`, `models/2`, as TensorFlow Serving wants them."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from retinaface_tf.errors import InputError
from retinaface_tf.files import scratch_folder
from retinaface_tf.runtimes.locate import versions


class NewVersion:
    """A version that is being written.

    `folder` is where to write it. After `new_version` has ended it is where it is.
    """

    def __init__(self, folder: Path):
        self.folder = folder


@contextmanager
def new_version(models: Path, keep: int | None = None) -> Iterator[NewVersion]:
    """Adds the next version to a model's folder when what is in the `with` has ended well.

    It is written beside its place and renamed, so that a server never loads a half; if anything is
    raised, nothing is left.

    Args:
        models: the folder of the versions, made if it is not there.
        keep: how many of the newest to keep, this one included; None keeps all.

    Raises:
        InputError: the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            # A server passes over the hidden folder, whose name is no number.
            scratch = stack.enter_context(scratch_folder(models))
        except OSError as error:
            raise InputError(f"{models}: cannot write a model there ({error.strerror})") from None
        version = NewVersion(scratch)
        yield version
        version.folder = _take_next(scratch, models)
    if keep is not None:
        for old in versions(models)[:-keep]:
            shutil.rmtree(old)


def _take_next(scratch: Path, models: Path) -> Path:
    """Gives what was written the next number; another export may take the same first."""
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
                f"{models}: expected versions with {pattern}, found {version} without; take "
                f"another --out"
            )
