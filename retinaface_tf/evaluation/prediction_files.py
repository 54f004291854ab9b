"""Reads and writes prediction files, in a folder or a zip.

A prediction file is `<event>/<image>.txt`: the name of the image, the number of detections, then
one `x y w h score` per line.

Source: `read_pred.m` of WIDER FACE's eval_tools.
"""

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retinaface_tf.data.files import (
    decode_text,
    find_files,
    read_bytes,
    warn_of_left_out,
    why_left_out,
)
from retinaface_tf.data.names import relative_name
from retinaface_tf.errors import InputError, one_line

SUFFIXES = (".txt",)
_FILES = "<event>/<image>.txt"
# Zipping makes predictions 2 to 5 times smaller; a much higher ratio means a zip bomb.
MAX_RATIO, FREE_BYTES = 50, 1 << 24
# An entry may lie about its size. Compressed bytes to unpack at once, so that they become at most
# some 100 MB: with bzip2, 40 bytes can become 46 MB.
PIECE_BYTES, BZIP2_PIECE_BYTES = 1 << 12, 1 << 6
MAX_NUMBER = float(np.finfo(np.float32).max)  # a network returns no larger number


def read_predictions(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Reads a folder or a .zip of `<event>/<image>.txt`, with or without a folder around them.

    Returns:
        Image ("event/name", without extension) -> [N, 5], x y w h in pixels and score.

    Raises:
        InputError: the path is neither a folder nor a zip, holds no predictions or two files for
            one image, or has a broken line; the message names the file and the line.
    """
    path = Path(path)
    predictions: dict[str, NDArray[np.float64]] = {}
    for name, content in _read_files(path):
        where = f"{path}/{name}"
        key = "/".join(name.with_suffix("").parts[-2:])
        if "/" not in key:
            raise InputError(f"{where}: not in the folder of an event, expected {_FILES}")
        if key in predictions:
            raise InputError(f"{where}: a second file for the image {key}, expected one")
        predictions[key] = _parse(content, where)
    if not predictions:
        raise InputError(f"{path}: no predictions here, expected {_FILES}")
    return predictions


def _read_files(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Reads relative paths and contents of the .txt files of a folder or zip."""
    if path.is_dir():
        for file in find_files(path, SUFFIXES):
            name = relative_name(str(file.relative_to(path)), str(path))
            yield PurePosixPath(name), read_bytes(file)
    elif path.is_file():
        yield from _read_zip(path)
    else:
        raise InputError(f"{path}: no such folder or zip of predictions")


def _read_zip(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _predictions_in(archive, path)
            unpacked = sum(entry.file_size for entry in entries.values())
            if unpacked > MAX_RATIO * path.stat().st_size + FREE_BYTES:
                expected = f"expected predictions, which zipping makes less than {MAX_RATIO} times"
                raise InputError(f"{path}: {expected} smaller, found {unpacked} bytes of files")
            for name, entry in entries.items():
                yield name, _unpack(archive, entry)
    except InputError:
        raise
    # A damaged zip can raise almost anything, in each of four compressions.
    except Exception as error:
        raise InputError(
            f"{path}: expected a folder or a readable zip ({one_line(error)})"
        ) from error


def _predictions_in(archive: zipfile.ZipFile, path: Path) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Returns the entries to read, by name."""
    entries: dict[PurePosixPath, zipfile.ZipInfo] = {}
    left_out: Counter[str] = Counter()
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        name = PurePosixPath(relative_name(entry.filename, str(path)))
        reason = why_left_out(name, SUFFIXES)
        if reason is not None:
            left_out[reason] += 1
        elif name in entries:
            raise InputError(f"{path}/{name}: a second file of this name, expected one")
        else:
            entries[name] = entry
    warn_of_left_out(path, left_out)
    return entries


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    is_bzip2 = entry.compress_type == zipfile.ZIP_BZIP2
    size = BZIP2_PIECE_BYTES if is_bzip2 else PIECE_BYTES
    with archive.open(entry) as file:
        # Python unpacks at least this many bytes at once, however few are requested.
        file.MIN_READ_SIZE = size  # type: ignore[attr-defined]
        return b"".join(iter(partial(file.read, size), b""))


def _parse(content: bytes, where: str) -> NDArray[np.float64]:
    """Parses the detections [N, 5] of one file; only after a failure, searches it line by line."""
    lines = decode_text(content, where).rstrip().split("\n")
    rows = [line.split() for line in lines[2:]]
    try:
        if int(lines[1]) == len(rows):
            detections = np.array(rows, np.float64).reshape(-1, 5)
            if len(detections) == len(rows) and (abs(detections) <= MAX_NUMBER).all():
                return detections
    except (IndexError, ValueError):
        pass
    raise InputError(f"{where}:{_find_fault(lines)}")


def _find_fault(lines: list[str]) -> str:
    """Describes the first broken line: its number, what was expected and what was found."""
    if len(lines) < 2 or not lines[1].strip().isdecimal():
        found = repr(lines[1])[:60] if len(lines) > 1 else "the end of the file"
        return f"2: expected the number of detections, found {found}"
    for number, line in enumerate(lines[2:], start=3):
        if len(line.split()) != 5 or not all(map(_is_finite, line.split())):
            return f"{number}: expected finite x y w h score, found {line!r:.60}"
    return f"2: expected {len(lines) - 2}, the number of lines that follow, found {lines[1]!r:.60}"


def _is_finite(word: str) -> bool:
    try:
        return abs(float(word)) <= MAX_NUMBER
    except ValueError:
        return False


def write_predictions(folder: str | Path, predictions: Mapping[str, ArrayLike]) -> None:
    """Writes one `<event>/<image>.txt` per image, so that reading returns equal arrays.

    Args:
        folder: created if it does not exist.
        predictions: image ("event/name") -> [N, 5], x y w h in whole pixels and score. The
            corners were truncated, not x y w h, as in biubug6's test_widerface.py.

    Raises:
        ValueError: a number is not finite, or x y w h are not whole.
    """
    for key, detections in predictions.items():
        rows = np.asarray(detections, np.float64).reshape(-1, 5)
        if not np.isfinite(rows).all() or (rows[:, :4] % 1).any():
            raise ValueError(f"{key}: expected finite numbers, x y w h in whole pixels")
        boxes = rows[:, :4].astype(np.int64)
        file = Path(folder) / f"{key}.txt"
        lines = [file.stem, str(len(rows))]
        for (x, y, w, h), score in zip(boxes.tolist(), rows[:, 4].tolist(), strict=True):
            lines.append(f"{x} {y} {w} {h} {score!r}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
