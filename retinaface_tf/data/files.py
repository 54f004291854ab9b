"""Finds and reads the files in users' folders, in one way for all commands."""

import codecs
import logging
import os
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePath

from retinaface_tf.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp")
# macOS keeps resource forks in a second file if the file system or archive cannot hold them.
FORK_PREFIX, FORK_FOLDER = "._", "__MACOSX"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

log = logging.getLogger(__name__)


def find_files(
    folder: Path,
    suffixes: Collection[str],
    *,
    expected: Collection[str] = (),
    without: Path | None = None,
) -> list[Path]:
    """Finds all files with certain suffixes in a folder and below.

    Links to folders are followed, and each folder is entered once, so that cycles end. Files left
    out are counted by suffix in one warning.

    Args:
        folder: where to search.
        suffixes: of the wanted files, with dots, in lower case; the files' may be in any case.
        expected: suffixes of files that are left out without being counted.
        without: a folder below to skip, such as the folder for results.

    Returns:
        Paths that begin with `folder`, sorted.
    """
    found: list[Path] = []
    left_out: Counter[str] = Counter()
    for file in _walk(folder, without, left_out):
        reason = why_left_out(file.relative_to(folder), suffixes)
        if reason is None and not os.path.isfile(file):
            reason = "broken links or not files"
        if reason is None:
            found.append(file)
        else:
            left_out[reason] += 1
    warn_of_left_out(folder, left_out, expected)
    return sorted(found)


def why_left_out(name: PurePath, suffixes: Collection[str]) -> str | None:
    """Returns the kind of a file that is left out, mostly its suffix; None if it is wanted.

    Args:
        name: of a file, below the folder or in the archive that is searched.
        suffixes: of the wanted files.
    """
    if name.name.startswith(FORK_PREFIX) or FORK_FOLDER in name.parts[:-1]:
        return "resource forks of macOS"
    suffix = name.suffix.lower()
    return None if suffix in suffixes else suffix or "without a suffix"


def warn_of_left_out(
    place: Path, left_out: Mapping[str, int], expected: Collection[str] = ()
) -> None:
    """Logs how many files of each kind were left out, except for expected ones."""
    counts = {kind: count for kind, count in left_out.items() if count and kind not in expected}
    if counts:
        named = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        log.warning("%s: left out %s", place, named)


def _walk(root: Path, without: Path | None, left_out: Counter[str]) -> Iterator[Path]:
    """Yields all but folders; links to folders come last, so that names are the shortest."""

    def refused(_: OSError) -> None:
        left_out["unreadable folders"] += 1

    avoided = None if without is None else os.path.realpath(without)
    entered: set[str] = set()
    queue = deque([str(root)])
    while queue:
        for folder, folders, files in os.walk(queue.popleft(), onerror=refused):
            place = os.path.realpath(folder)
            if place in entered or place == avoided:
                left_out["linked folders already included"] += place in entered
                folders.clear()
                continue
            entered.add(place)
            queue += (path for name in folders if os.path.islink(path := f"{folder}/{name}"))
            yield from (Path(folder, name) for name in files)


def read_bytes(file: Path) -> bytes:
    """Reads an untrusted file.

    Raises:
        InputError: the file is missing, not a plain file, or unreadable.
    """
    try:
        if file.exists() and not file.is_file():
            raise InputError(f"{file}: expected a file, found a folder or a device")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InputError(f"{file}: cannot be read ({reason})") from None


def read_text(file: Path) -> str:
    """Reads an untrusted text file, in UTF-8, or in UTF-16 if its byte order mark says so.

    Raises:
        InputError: the file is missing, or not text.
    """
    return decode_text(read_bytes(file), str(file))


def decode_text(content: bytes, where: str) -> str:
    """Decodes text, in UTF-8, or in UTF-16 if its byte order mark says so; drops the mark.

    Args:
        content: of a file.
        where: the file, which begins the message of an error.

    Raises:
        InputError: the content is not text.
    """
    encoding = "utf-16" if content.startswith(_UTF16_MARKS) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: expected text in UTF-8 ({error.reason})") from None
