"""Reads the ground truth of WIDER FACE.

Source: `wider_eval.m` of WIDER FACE's eval_tools.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat

from retinaface_tf.data.widerface import ATTRIBUTES, read_attributes
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import SETS, GroundTruth

_FACES = "wider_face_val.mat"
_SET_FILES = {name: f"wider_{name}_val.mat" for name in SETS}


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
    if {name for name, _, _ in whosmat(path)}.issuperset(columns):
        cells = [_read_cells(path, column, 1) for column in columns]
        found = {key: np.hstack([each[key] for each in cells]) for key in cells[0]}
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
    if not path.is_file():
        expected = ", ".join([_FACES, *_SET_FILES.values()])
        raise InputError(f"{path}: no such file, expected {expected} in this folder")
    try:
        mat = loadmat(path, variable_names=names)
        return {
            f"{event.item()}/{image.item()}": cell.astype(np.float64).reshape(-1, columns)
            for event, images, cells in zip(*(mat[n].ravel() for n in names), strict=True)
            for image, cell in zip(images.ravel(), cells.ravel(), strict=True)
        }
    except Exception as error:  # loadmat has no common class of errors for broken files
        wanted = f"expected WIDER FACE's .mat with {', '.join(names)}"
        raise InputError(f"{path}: {wanted} ({type(error).__name__})") from error


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
