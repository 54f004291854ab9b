"""Checks the names that files of others state, so that nothing leads out of a folder."""

import os
import re
from pathlib import Path, PurePosixPath

from retinaface_tf.data.outline import Kind, kind_of
from retinaface_tf.errors import InputError

# Line ends would forge lines in the files that we write; surrogates are no text; a file system
# refuses NUL.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DRIVE = re.compile("[A-Za-z]:")
MAX_LENGTH = 1024  # letters of a name; a path has at most 4,096 bytes


def relative_name(name: str, where: str) -> str:
    r"""Checks that a name stays below a folder that it is joined to.

    Args:
        name: of a file, as somebody else wrote it; `\` parts folders as `/` does.
        where: file and entry, with which the message of an error begins.

    Returns:
        The name with `/`, without empty parts and `.`.

    Raises:
        InputError: the name is absolute, has a drive, `..` or control characters, is empty or too
            long.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    leads_out = path.is_absolute() or ".." in path.parts or _DRIVE.match(name)
    if leads_out or not path.name or len(name) > MAX_LENGTH or _UNFIT.search(name):
        raise InputError(f"{where}: expected a name inside of the folder, found {name!r:.80}")
    return str(path)


def is_below(file: Path, folder: Path) -> bool:
    """Tells whether a file is below a folder when links of both are followed."""
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))


def starts_as_image(file: Path) -> bool:
    """Tells whether a file begins as JPEG, PNG, GIF, BMP or WebP does.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as content:
        start = content.read(12)
    kind = kind_of(start)
    if kind is Kind.BMP:
        return start[6:10] == bytes(4)  # reserved bytes; a text may begin with "BM"
    return kind is not Kind.UNKNOWN
