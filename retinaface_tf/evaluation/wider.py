"""Reads the ground truth of WIDER FACE, and reads and writes prediction files.

A prediction file is `<event>/<image>.txt`: the name of the image, the number of detections, then
one `x y w h score` per line.

Source: `wider_eval.m` and `read_pred.m` of WIDER FACE's eval_tools.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retinaface_tf.data.widerface import ATTRIBUTES, read_attributes
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.evaluation.average_precision import SETS, GroundTruth
from retinaface_tf.evaluation.mat_file import Value, read_mat

_FACES = "wider_face_val.mat"
_SET_FILES = {name: f"wider_{name}_val.mat" for name in SETS}
_MAX_NUMBER = 1 << 32
_FILES = "<event>/<image>.txt"


def load_ground_truth(folder: str | Path) -> dict[str, GroundTruth]:
    """Reads wider_face_val.mat and wider_{easy,medium,hard}_val.mat.

    Returns:
        Image ("event/name", without extension) -> its faces, x y w h in pixels, and their sets.

    Raises:
        InputError: a file is missing, is not such a .mat, or does not fit the others.
    """
    folder = Path(folder)
    boxes = _read_cells(folder / _FACES, "face_bbx_list", 4)
    sets = {name: _read_cells(folder / file, "gt_list", 1) for name, file in _SET_FILES.items()}
    truth = {}
    for key, faces in boxes.items():
        masks = {
            name: _mask(cells.get(key), len(faces), f"{folder / _SET_FILES[name]}: {key}")
            for name, cells in sets.items()
        }
        truth[key] = GroundTruth(faces, masks)
    return truth


def load_attributes(
    folder: str | Path, label_file: Path, truth: Mapping[str, GroundTruth]
) -> NDArray[np.int64] | None:
    """Reads the attributes of each face from the ground truth or else from the labels.

    Args:
        folder: of the ground truth; the official wider_face_val.mat has attributes, the copies of
            some evaluation tools have none.
        label_file: read next; the official wider_face_val_bbx_gt.txt has attributes.
        truth: the faces.

    Returns:
        [F, 6] for the faces of all images, columns as in ATTRIBUTES; None where neither file has
        attributes.

    Raises:
        InputError: a file has the attributes of other faces.
    """
    path = Path(folder) / _FACES
    columns = [f"{name}_label_list" for name in ATTRIBUTES]
    found: Mapping[str, NDArray[Any]]
    if set(columns) <= set(_read(path, columns)):
        cells = [_read_cells(path, column, 1) for column in columns]
        found = {key: _side_by_side([each[key] for each in cells], path) for key in cells[0]}
    elif label_file.is_file():
        path, found = label_file, read_attributes(label_file)
    else:
        return None
    if not found:
        return None
    for key, image in truth.items():
        listed = len(found.get(key, ()))
        if listed != len(image.faces):
            message = f"{key}: expected attributes of {len(image.faces)} faces, found {listed}"
            raise InputError(f"{path}: {message}")
    return np.concatenate([np.zeros((0, 6)), *(found[key] for key in truth)]).astype(np.int64)


def _read_cells(path: Path, variable: str, columns: int) -> dict[str, NDArray[np.float64]]:
    """Reads one array [.., columns] per image out of a MATLAB cell of events, cells of images."""
    names = ("event_list", "file_list", variable)
    mat = _read(path, names)
    try:
        events, files, cells = (_as_list(mat.get(name)) for name in names)
        return {
            f"{_as_text(event)}/{_as_text(image)}": _as_rows(cell, columns)
            for event, images, values in zip(events, files, cells, strict=True)
            for image, cell in zip(_as_list(images), _as_list(values), strict=True)
        }
    except ValueError as error:
        raise _unlike_wider_face(path, names, error) from None


def _read(path: Path, names: Sequence[str]) -> dict[str, Value]:
    """Reads variables of a .mat file, without those that are missing.

    Raises:
        InputError: the file is missing or damaged, or no .mat.
    """
    if not path.is_file():
        expected = ", ".join([_FACES, *_SET_FILES.values()])
        raise InputError(f"{path}: no such file, expected {expected} in this folder")
    try:
        return read_mat(path, names)
    except ValueError as error:
        raise _unlike_wider_face(path, names, error) from None


def _unlike_wider_face(path: Path, names: Sequence[str], error: ValueError) -> InputError:
    wanted = f"expected WIDER FACE's .mat with {', '.join(names)}"
    return InputError(f"{path}: {wanted} ({one_line(error)})")


def _side_by_side(columns: Sequence[NDArray[Any]], path: Path) -> NDArray[Any]:
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise InputError(f"{path}: expected as many of each attribute, found {sorted(lengths)}")
    return np.hstack(columns)


def _as_list(value: Value | None) -> list[Value]:
    if isinstance(value, list):
        return value
    raise ValueError("no cells where cells are expected")


def _as_text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("no text where a name is expected")


def _as_rows(value: Value, columns: int) -> NDArray[np.float64]:
    if not isinstance(value, np.ndarray):
        raise ValueError("no numbers where numbers are expected")
    rows = value.astype(np.float64).reshape(-1, columns)
    if not (np.abs(rows) < _MAX_NUMBER).all():
        raise ValueError("a number beyond all pixels")
    return rows


def _mask(positions: NDArray[np.float64] | None, count: int, where: str) -> NDArray[np.bool_]:
    """Turns MATLAB's positions [.., 1], which start at 1, into bool [count]."""
    if positions is None:
        raise InputError(f"{where}: not in this file, expected the images of {_FACES}")
    index = positions[:, 0].astype(np.int64)
    wrong = index[(index < 1) | (index > count)]
    if len(wrong):
        raise InputError(f"{where}: names face {wrong[0]}, expected 1..{count} as in {_FACES}")
    mask = np.zeros(count, np.bool_)
    mask[index - 1] = True
    return mask


def read_predictions(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Reads a folder or a .zip of `<event>/<image>.txt`, with or without a folder around them.

    Returns:
        Image ("event/name", without extension) -> [N, 5], x y w h in pixels and score.

    Raises:
        InputError: neither folder nor zip, no file in it, two files for one image, or a line that
            is not as expected; names the file and the line.
    """
    path = Path(path)
    predictions: dict[str, NDArray[np.float64]] = {}
    for name, content in _read_files(path):
        where = f"{path}/{name}"
        key = "/".join(name.with_suffix("").parts[-2:])
        if "/" not in key:
            raise InputError(f"{where}: not in an event's folder, expected {_FILES}")
        if key in predictions:
            raise InputError(f"{where}: a second file for the image {key}, expected one")
        predictions[key] = _parse(content, where)
    if not predictions:
        raise InputError(f"{path}: no predictions here, expected {_FILES}")
    return predictions


def _read_files(path: Path) -> Iterator[tuple[PurePath, bytes]]:
    """Reads relative paths and contents of the .txt files of a folder or zip."""
    if path.is_dir():
        for file in sorted(path.rglob("*.txt")):
            if _is_prediction(file.relative_to(path)) and file.is_file():
                yield file.relative_to(path), file.read_bytes()
    elif path.is_file():
        yield from _read_zip(path)
    else:
        raise InputError(f"{path}: no such folder or zip of predictions")


def _read_zip(path: Path) -> Iterator[tuple[PurePath, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if _is_prediction(PurePosixPath(name)):
                    yield PurePosixPath(name), archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise InputError(f"{path}: expected a folder or a readable zip ({error})") from error


def _is_prediction(name: PurePath) -> bool:
    # macOS puts a double "._x.txt" of every file into the zips that it makes.
    return name.suffix == ".txt" and not name.name.startswith(".")


def _parse(content: bytes, where: str) -> NDArray[np.float64]:
    """Parses the detections [N, 5] of one file; a fault is looked for again, slowly, by line."""
    try:
        lines = content.decode().rstrip().split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{where}: expected text, found bytes that are not UTF-8") from None
    rows = [line.split() for line in lines[2:]]
    try:
        if int(lines[1]) == len(rows):
            detections = np.array(rows, np.float64).reshape(-1, 5)
            if len(detections) == len(rows) and np.isfinite(detections).all():
                return detections
    except (IndexError, ValueError):
        pass
    raise InputError(f"{where}:{_find_fault(lines)}")


def _find_fault(lines: list[str]) -> str:
    """Describes the first broken line: its number, the fault and what was expected."""
    if len(lines) < 2 or not lines[1].strip().isdecimal():
        found = repr(lines[1])[:60] if len(lines) > 1 else "the end of the file"
        return f"2: expected the number of detections, found {found}"
    for number, line in enumerate(lines[2:], start=3):
        if len(line.split()) != 5 or not all(map(_is_finite, line.split())):
            return f"{number}: expected finite x y w h score, found {line!r:.60}"
    return f"2: expected {len(lines) - 2}, the number of lines that follow, found {lines[1]!r:.60}"


def _is_finite(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def write_predictions(folder: str | Path, predictions: Mapping[str, ArrayLike]) -> None:
    """Writes one `<event>/<image>.txt` per image, so that reading gives equal arrays back.

    Args:
        folder: made where it does not exist.
        predictions: image ("event/name") -> [N, 5], x y w h in whole pixels and score. The
            corners are truncated before, as by biubug6's test_widerface.py, not x y w h.

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
