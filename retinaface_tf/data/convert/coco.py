"""Reads COCO instances or keypoints: a JSON file of images, annotations and categories.

Source: https://cocodataset.org/#format-data.

The box is `x y width height`. Five keypoints become landmarks, `x y v` each, where v is 0 for not
labelled, 1 for occluded and 2 for visible; a face with a keypoint that is not labelled has no
landmarks. Crowds (`iscrowd`) are not faces and are left out.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from retinaface_tf.data.convert.images import find_image
from retinaface_tf.data.convert.labelled import (
    LabelledFace,
    LabelledImage,
    make_face,
    unknown_category,
)
from retinaface_tf.data.files import read_text
from retinaface_tf.errors import InputError, one_line

UNLABELLED, OCCLUDED = 0, 1

Id = int | float | str  # some tools write 7.0 for 7


def read_coco(file: Path, images: Path | None, category: str) -> list[LabelledImage]:
    """Reads a file; `images` is the folder of its images, by default the file's own folder.

    If a file has a single category, that category may have any name.

    Raises:
        InputError: the file is missing or not COCO's, or lacks the category; the message names
            the entry.
    """
    folder = images or file.parent
    content = _read(file)
    names = _by_id(file, "images", content["images"], "file_name")
    faces = _faces_by_image(file, content, names, category)
    labelled = []
    for number, (key, name) in enumerate(names.items()):
        found = find_image(folder, name, f"{file}: images[{number}]")
        labelled.append(LabelledImage(folder / found, found, faces[key]))
    return labelled


def _read(file: Path) -> dict[str, Any]:
    text = read_text(file)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits; deeply nested lists
        raise InputError(f"{file}: expected COCO JSON: {one_line(error)}") from None
    for part in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(part), list):
            raise InputError(f"{file}: expected COCO's lists images, annotations, categories")
    return content


def _by_id(file: Path, part: str, entries: list[Any], key: str) -> dict[Id, str]:
    """Returns a text of each entry by the entry's id, in order.

    Raises:
        InputError: an entry lacks its id or text, or two entries share an id.
    """
    texts: dict[Id, str] = {}
    for number, entry in enumerate(entries):
        where = f"{file}: {part}[{number}]"
        identity, text = _get_id(entry, "id", where), _get(entry, key, where)
        if not isinstance(text, str):
            raise InputError(f"{where}: expected a text as {key}, found {one_line(text):.40}")
        if identity in texts:
            both = f"{one_line(texts[identity]):.80} and {one_line(text):.80}"
            raise InputError(f"{where}: {both} share the id {identity!r:.40}")
        texts[identity] = text
    return texts


def _faces_by_image(
    file: Path, content: dict[str, Any], images: Collection[Id], category: str
) -> dict[Id, list[LabelledFace]]:
    wanted = _category_ids(file, content["categories"], category)
    faces: dict[Id, list[LabelledFace]] = {image: [] for image in images}
    for number, annotation in enumerate(content["annotations"]):
        where = f"{file}: annotations[{number}]"
        if _get_id(annotation, "category_id", where) in wanted and not annotation.get("iscrowd"):
            image = _get_id(annotation, "image_id", where)
            if image not in faces:
                raise InputError(f"{where}: image_id {image!r:.40} is not in images")
            faces[image].append(_face(annotation, where))
    return faces


def _category_ids(file: Path, categories: list[Any], wanted: str) -> set[Id]:
    names = _by_id(file, "categories", categories, "name")
    ids = set(names) if len(names) == 1 else {i for i, name in names.items() if name == wanted}
    if not ids:
        raise unknown_category(file, wanted, names.values())
    return ids


def _face(annotation: dict[str, Any], where: str) -> LabelledFace:
    box, keypoints = _get(annotation, "bbox", where), annotation.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != 15:
        return make_face(box, where=where)
    try:
        triples = np.array(keypoints, np.float64).reshape(5, 3)
    except (TypeError, ValueError, OverflowError):
        found = one_line(keypoints)
        raise InputError(f"{where}: expected numbers as keypoints, found {found:.80}") from None
    if (triples[:, 2] == UNLABELLED).any():
        return make_face(box, where=where)
    return make_face(box, triples[:, :2], triples[:, 2] == OCCLUDED, where=where)


def _get_id(entry: Any, key: str, where: str) -> Id:
    value = _get(entry, key, where)
    if not isinstance(value, int | float | str):
        raise InputError(f"{where}: expected a number or a text as {key}, found {value!r:.40}")
    return value


def _get(entry: Any, key: str, where: str) -> Any:
    if not isinstance(entry, dict) or key not in entry:
        raise InputError(f"{where}: has no {key}")
    return entry[key]
