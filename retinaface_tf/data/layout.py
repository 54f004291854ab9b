"""Writes data sets in WIDER FACE's layout: rows of label.txt, .mat files of ground truth, folders.

`widerface` reads the labels, `evaluation.wider` the ground truth.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.io import savemat

from retinaface_tf.errors import InputError
from retinaface_tf.files import scratch_folder

# Height in pixels from which a face counts, if nothing else says how hard it is; WIDER FACE's own
# sets are based on how well detectors did.
MIN_HEIGHTS = {"easy": 50, "medium": 30, "hard": 10}


@dataclass(frozen=True)
class Truth:
    """Holds the ground truth of an image."""

    event: str
    name: str  # without extension
    boxes: NDArray[Any]  # [N, 4], x y w h, pixels
    counted: dict[str, NDArray[np.bool_]]  # by set, [N]


@contextmanager
def new_folder(root: Path) -> Iterator[Path]:
    """Yields a hidden folder to fill, and renames it to `root` at the end.

    `root` is whole or absent.

    Raises:
        InputError: `root` exists or cannot be written.
    """
    if root.exists():
        raise InputError(f"{root}: exists already, expected a new folder to write faces to")
    try:
        with scratch_folder(root.parent) as scratch:
            yield scratch
            scratch.rename(root)
    except OSError as error:
        raise InputError(f"{root}: cannot write faces here ({error.strerror})") from error


def box_columns(box: ArrayLike) -> str:
    """Formats a box `x y w h` in pixels, to two decimals."""
    return " ".join(f"{round(value, 2):g}" for value in np.asarray(box, np.float64).tolist())


def landmark_columns(points: ArrayLike | None, occluded: ArrayLike, quality: float) -> str:
    """Formats five times x, y and 1.0 if occluded, else 0.0; then a quality from 0 to 1.

    Args:
        points: [5, 2] in pixels; None writes -1.0 for all.
        occluded: bool [5].
        quality: of the whole face.
    """
    if points is None:
        return "-1.0 " * 15 + "0.0"
    pairs = zip(np.asarray(points).tolist(), np.asarray(occluded).tolist(), strict=True)
    columns = [f"{x:.3f} {y:.3f} {float(hidden)}" for (x, y), hidden in pairs]
    return " ".join([*columns, f"{quality:.2f}"])


def write_ground_truth(folder: Path, images: Sequence[Truth]) -> None:
    """Writes the four files of the official tool; images of one event must be adjacent.

    Each event and each image has its own cell, as in MATLAB's files.
    """
    groups = [list(group) for _, group in itertools.groupby(images, lambda image: image.event)]

    def cells(of_image: Callable[[Truth], Any]) -> NDArray[np.object_]:
        return _cell([_cell([of_image(image) for image in group]) for group in groups])

    def positions(name: str) -> NDArray[np.object_]:
        """Counts from 1, as MATLAB does: [N, 1] for each image."""
        return cells(
            lambda image: (np.flatnonzero(image.counted[name]) + 1).astype(np.uint16)[:, None]
        )

    files = {"face": {"face_bbx_list": cells(lambda image: image.boxes)}}
    files |= {name: {"gt_list": positions(name)} for name in MIN_HEIGHTS}
    events, names = _cell([group[0].event for group in groups]), cells(lambda image: image.name)
    folder.mkdir()
    for name, content in files.items():
        content |= {"event_list": events, "file_list": names}
        savemat(folder / f"wider_{name}_val.mat", content, do_compression=True)


def _cell(values: Sequence[Any]) -> NDArray[np.object_]:
    """Makes a column of MATLAB cells; by itself, NumPy would stack arrays of equal shape."""
    return np.fromiter(values, object, len(values)).reshape(-1, 1)
