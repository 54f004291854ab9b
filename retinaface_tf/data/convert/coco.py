"""Reads COCO's instances or keypoints: a JSON file of images, annotations and categories.

Source: https://cocodataset.org/#format-data.

The box is `x y width height`. Keypoints become landmarks where there are five, `x y v` each, with v
0 not labelled, 1 occluded, 2 visible; a face with one that is not labelled has no landmarks. Crowds
(`iscrowd`) are no faces and left out.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from retinaface_tf.data.convert.labelled import (
    LabelledFace,
    LabelledImage,
    make_face,
    unknown_category,
)
from retinaface_tf.data.label_lines import read_label_text
from retinaface_tf.errors import InputError

UNLABELLED, OCCLUDED = 0, 1


def read_coco(file: Path, images: Path | None, category: str) -> list[LabelledImage]:
    """Reads a file; `images` is the folder of its images, by default its own.

    A file with a single category may name it as it likes.

    Raises:
        InputError: no such file, not COCO's, or not this category; names the entry.
    """
    folder = images or file.parent
    content = _read(file)
    wanted = _category_ids(file, content["categories"], category)
    by_image = defaultdict(list)
    for number, annotation in enumerate(content["annotations"]):
        where = f"{file}: annotations[{number}]"
        if _get(annotation, "category_id", where) in wanted and not annotation.get("iscrowd"):
            by_image[_get(annotation, "image_id", where)].append(_face(annotation, where))
    labelled = []
    for number, image in enumerate(content["images"]):
        where = f"{file}: images[{number}]"
        name = str(_get(image, "file_name", where)).replace("\\", "/")
        faces = by_image.pop(_get(image, "id", where), [])
        labelled.append(LabelledImage(folder / name, name, faces))
    if by_image:
        raise InputError(f"{file}: annotations of image_id {next(iter(by_image))}, not in images")
    return labelled


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_label_text(file))
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    for part in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(part), list):
            raise InputError(f"{file}: expected COCO's lists images, annotations, categories")
    return content


def _category_ids(file: Path, categories: list[Any], wanted: str) -> set[int]:
    names = {
        _get(category, "id", f"{file}: categories[{number}]"): category.get("name")
        for number, category in enumerate(categories)
    }
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
    except (TypeError, ValueError):
        raise InputError(f"{where}: expected numbers as keypoints, found {keypoints}") from None
    if (triples[:, 2] == UNLABELLED).any():
        return make_face(box, where=where)
    return make_face(box, triples[:, :2], triples[:, 2] == OCCLUDED, where=where)


def _get(entry: Any, key: str, where: str) -> Any:
    if not isinstance(entry, dict) or key not in entry:
        raise InputError(f"{where}: has no {key}")
    return entry[key]
