"""Reads the ground truth of WIDER FACE.

Source: `wider_eval.m` of WIDER FACE's eval_tools.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.widerface import ATTRIBUTES, read_attributes
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.evaluation.average_precision import SETS, GroundTruth
from retinaface_tf.evaluation.mat_file import Value, read_mat

_FACES = "wider_face_val.mat"
_SET_FILES = {name: f"wider_{name}_val.mat" for name in SETS}
_MAX_NUMBER = 1 << 32


def load_ground_truth(folder: str | Path) -> dict[str, GroundTruth]:
    """Reads wider_face_val.mat and wider_{easy,medium,hard}_val.mat.

    Returns:
        Image ("event/name", without extension) -> its faces, x y w h in pixels, and their sets.

    Raises:
        InputError: a file is missing, is not such a .mat file, or does not fit the others.
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
    """Reads the attributes of each face from the ground truth, or else from the labels.

    Args:
        folder: of the ground truth; the official wider_face_val.mat has attributes, but the copies
            in some evaluation tools do not.
        label_file: tried next; the official wider_face_val_bbx_gt.txt has attributes.
        truth: the faces.

    Returns:
        [F, 6] for the faces of all images, columns as in ATTRIBUTES; None if neither file has
        attributes.

    Raises:
        InputError: the attributes in a file do not fit the faces.
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
    """Reads one array [.., columns] per image from a MATLAB cell of events with cells of images."""
    names = ("event_list", "file_list", variable)
    mat = _read(path, names)
    try:
        events, files, cells = (_as_list(mat.get(name)) for name in names)
        rows = [
            (f"{_as_text(event)}/{_as_text(image)}", _as_rows(cell, columns))
            for event, images, values in zip(events, files, cells, strict=True)
            for image, cell in zip(_as_list(images), _as_list(values), strict=True)
        ]
        twice = [name for name, count in Counter(name for name, _ in rows).items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]} occurs twice")
        return dict(rows)
    except ValueError as error:
        raise _unlike_wider_face(path, names, error) from None


def _read(path: Path, names: Sequence[str]) -> dict[str, Value]:
    """Reads variables of a .mat file, without those that are missing.

    Raises:
        InputError: the file is missing, damaged, or not a .mat file.
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
    raise ValueError("expected cells, found something else")


def _as_text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("expected a name, found something else")


def _as_rows(value: Value, columns: int) -> NDArray[np.float64]:
    if not isinstance(value, np.ndarray):
        raise ValueError("expected numbers, found something else")
    rows = value.astype(np.float64).reshape(-1, columns)
    if not (np.abs(rows) < _MAX_NUMBER).all():
        raise ValueError("a number too large for pixels")
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
