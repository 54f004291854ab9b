"""Writes files and folders that are whole or absent, even if the process is killed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retinaface_tf.errors import InputError

# TensorFlow finds the files of a checkpoint or SavedModel by a pattern that begins with their path.
_PATTERN_CHARACTERS = "*?[]\\"


def check_literal(path: str | Path) -> None:
    r"""Refuses a path that TensorFlow would take for a pattern.

    Raises:
        InputError: the path has one of the characters `* ? [ ] \`.
    """
    found = [character for character in _PATTERN_CHARACTERS if character in str(path)]
    if found:
        raise InputError(
            f"{path}: expected a path without {' '.join(_PATTERN_CHARACTERS)}, which TensorFlow "
            f"reads as a pattern; found {' '.join(found)}"
        )


def scratch_of(file: Path) -> Path:
    """Returns the hidden path that `atomic_file` writes to before it renames it to `file`."""
    return file.with_name(f".{file.name}")


@contextmanager
def atomic_file(file: Path) -> Iterator[Path]:
    """Yields a hidden path beside `file` to write to, and renames it to `file` at the end.

    Both names end alike. If the block raises, the hidden file is removed and `file` is unchanged.

    Raises:
        OSError: the file cannot be written.
    """
    scratch = scratch_of(file)
    try:
        yield scratch
        scratch.replace(file)
    except BaseException:
        with suppress(OSError):
            scratch.unlink()
        raise


def write_text(file: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all.

    Raises:
        OSError: the file cannot be written; what was there before is still there.
    """
    with atomic_file(file) as scratch:
        scratch.write_text(text, encoding="utf-8")


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yields a new, hidden folder in `parent`, to be filled and then renamed.

    The folder is removed if it was not renamed when the block ends. `parent` is created if absent.

    Raises:
        OSError: `parent` cannot be written to.
    """
    parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=parent))
    try:
        scratch.chmod(0o755)  # a temporary folder is readable to its owner alone
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
