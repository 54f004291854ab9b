"""Holds the faces of a set of images, and checks that the images are there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.outline import Kind, outline
from retinaface_tf.errors import InputError


@dataclass(frozen=True)
class Records:
    """Holds the faces of a set of images; image `i` has the rows `splits[i]:splits[i + 1]`."""

    label_file: Path
    images: NDArray[np.str_]  # [I], `event/image.jpg`
    lines: NDArray[np.int64]  # [I], lines of the label file that name them, from 1
    splits: NDArray[np.int64]  # [I + 1]
    face_lines: NDArray[np.int64]  # [N], lines of the label file with the faces, from 1
    boxes: NDArray[np.float32]  # [N, 4], x1 y1 x2 y2, pixels
    landmarks: NDArray[np.float32]  # [N, 5, 2], pixels; 0 if there are none
    has_landmarks: NDArray[np.bool_]  # [N]

    def __len__(self) -> int:
        return len(self.images)

    def path(self, index: int) -> Path:
        """Returns the path of image `index`, in the folder `images` beside the label file."""
        return self.label_file.parent / "images" / self.images[index]

    def files(self) -> dict[str, Path]:
        """Returns paths by WIDER FACE's names of images, `event/image` without extension.

        Raises:
            InputError: the names of two images differ only in their extension.
        """
        files: dict[str, Path] = {}
        for i, image in enumerate(self.images):
            name = str(Path(image).with_suffix(""))
            other = files.setdefault(name, self.path(i))
            if other != self.path(i):
                both = f"{other.name} and {self.path(i).name} in {self.path(i).parent}"
                raise InputError(f"{self.where(i)}: {both} would share the predictions of {name}")
        return files

    def only(self, indices: Sequence[int]) -> "Records":
        """Returns the records of these images only, in the given order."""
        kept = np.array(indices, np.int64)
        faces = [np.arange(self.splits[i], self.splits[i + 1]) for i in kept]
        rows = np.concatenate([np.arange(0), *faces])
        return replace(
            self,
            images=self.images[kept],
            lines=self.lines[kept],
            splits=np.cumsum([0, *map(len, faces)], dtype=np.int64),
            face_lines=self.face_lines[rows],
            boxes=self.boxes[rows],
            landmarks=self.landmarks[rows],
            has_landmarks=self.has_landmarks[rows],
        )

    def where(self, index: int) -> str:
        """Returns the label file and line that name image `index`, for messages."""
        return f"{self.label_file}:{self.lines[index]}"


def check_images(records: Records) -> None:
    """Checks that every image is there and complete.

    Raises:
        InputError: an image is missing or cut short; the message names the first of them, its
            line, and how many there are.
    """
    faults = find_faults(records)
    if faults:
        index, fault = next(iter(faults.items()))
        more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
        raise InputError(f"{records.where(index)}: {records.path(index)} {fault}{more}")


def find_faults(records: Records) -> dict[int, str]:
    """Returns what is wrong with images that are missing or cut short, by index.

    The files are read whole, but not decoded.
    """
    found = ((i, _fault(records.path(i))) for i in range(len(records)))
    return {i: fault for i, fault in found if fault}


def _fault(image: Path) -> str | None:
    try:
        data = image.read_bytes()
    except OSError as error:
        return f"cannot be read ({error.strerror}); expected an image there"
    outlined = outline(data)
    if not data or not outlined.is_whole:
        return f"is cut short: {len(data)} bytes without the end of the image"
    if outlined.kind is Kind.UNKNOWN:
        return "is not a JPEG, PNG, GIF, BMP or WebP"
    return f"has {outlined.excess}" if outlined.excess else None
