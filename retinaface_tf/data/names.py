"""Checks names from untrusted files, so that none leads out of its folder."""

import os
import re
from pathlib import Path, PurePosixPath

from retinaface_tf.data.outline import Kind, kind_of
from retinaface_tf.errors import InputError

# Line ends would forge lines in the files that we write; surrogates are not text; file systems
# refuse NUL.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DRIVE = re.compile("[A-Za-z]:")
MAX_LENGTH = 1024  # characters of a name; a path has at most 4,096 bytes


def relative_name(name: str, where: str) -> str:
    r"""Checks that a name stays below the folder to which it is joined.

    Args:
        name: of a file, untrusted; `\` separates folders as `/` does.
        where: file and entry, which begin the message of an error.

    Returns:
        The name with `/`, without empty parts and `.`.

    Raises:
        InputError: the name is absolute, has a drive, `..` or control characters, is empty or too
            long.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    leads_out = path.is_absolute() or ".." in path.parts or _DRIVE.match(name)
    if leads_out or not path.name or len(name) > MAX_LENGTH or _UNFIT.search(name):
        raise InputError(f"{where}: expected a name inside the folder, found {name!r:.80}")
    return str(path)


def is_below(file: Path, folder: Path) -> bool:
    """Tells whether a file is below a folder once the links of both are resolved."""
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))


def starts_as_image(file: Path) -> bool:
    """Tells whether a file begins like a JPEG, PNG, GIF, BMP or WebP.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as content:
        start = content.read(12)
    kind = kind_of(start)
    if kind is Kind.BMP:
        return start[6:10] == bytes(4)  # reserved bytes, as a text may begin with "BM"
    return kind is not Kind.UNKNOWN
