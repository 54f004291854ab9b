"""Reads WIDER FACE's own label files, in any of the three formats.

Only boxes and landmarks are kept: no occlusion flags, no quality, no attributes.
"""

from pathlib import Path

from retinaface_tf.data.convert.images import find_image
from retinaface_tf.data.convert.labelled import LabelledFace, LabelledImage, make_face
from retinaface_tf.data.widerface import read_records


def read_widerface(file: Path, images: Path | None, category: str) -> list[LabelledImage]:
    """Reads a label file; its images are in `images`, by default the folder `images` beside it.

    WIDER FACE has no categories, and `category` is ignored.

    Raises:
        InputError: the file is missing, or a line is in none of the three formats.
    """
    records = read_records(file)
    folder = images or file.parent / "images"

    def faces(image: int) -> list[LabelledFace]:
        return [
            make_face(
                [*records.boxes[row, :2], *(records.boxes[row, 2:] - records.boxes[row, :2])],
                records.landmarks[row] if records.has_landmarks[row] else None,
                where=f"{file}:{records.face_lines[row]}",
            )
            for row in range(records.splits[image], records.splits[image + 1])
        ]

    names = [
        find_image(folder, str(name), records.where(i)) for i, name in enumerate(records.images)
    ]
    return [LabelledImage(folder / name, name, faces(i)) for i, name in enumerate(names)]
