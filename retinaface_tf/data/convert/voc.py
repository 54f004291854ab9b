"""Reads Pascal VOC's XML files, one for each image: `object`s with a `name` and a `bndbox`.

Corners are taken as they are, as labelImg and CVAT write them; VOC's own count pixels from 1, and
are one off. An object that is `difficult` is trained on, but no detector is at fault that misses
it. VOC has no landmarks.
"""

from pathlib import Path
from xml.etree import ElementTree

from retinaface_tf.data.convert.labelled import (
    LabelledFace,
    LabelledImage,
    make_face,
    unknown_category,
)
from retinaface_tf.errors import InputError

IMAGES = "JPEGImages"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(folder: Path, images: Path | None, category: str) -> list[LabelledImage]:
    """Reads a folder of XML files; images are in `images`, in JPEGImages beside it, or in it.

    Raises:
        InputError: no XML there, not VOC's, or none of this category; names the file.
    """
    files = sorted(folder.rglob("*.xml"))
    if not files:
        raise InputError(f"{folder}: no .xml there, expected a folder such as Annotations")
    beside = folder.parent / IMAGES
    root = images or (beside if beside.is_dir() else folder)
    names: set[str] = set()
    labelled = []
    for file in files:
        tree = _parse(file)
        objects = [(str(found.findtext("name")), found) for found in tree.iter("object")]
        names |= {name for name, _ in objects}
        faces = [
            _face(found, f"{file}: object {number}")
            for number, (name, found) in enumerate(objects, start=1)
            if name == category
        ]
        image = tree.findtext("filename")
        if not image:
            raise InputError(f"{file}: has no filename")
        name = (file.relative_to(folder).parent / image.replace("\\", "/")).as_posix()
        labelled.append(LabelledImage(root / name, name, faces))
    if category not in names:
        raise unknown_category(folder, category, names)
    return labelled


def _parse(file: Path) -> ElementTree.Element:
    try:
        tree = ElementTree.parse(file).getroot()
    except OSError as error:
        raise InputError(f"{file}: cannot read labels ({error.strerror})") from None
    except ElementTree.ParseError as error:
        raise InputError(f"{file}:{error.position[0]}: not XML: {error}") from None
    if tree.tag != "annotation":
        raise InputError(f"{file}: expected VOC's <annotation>, found <{tree.tag}>")
    return tree


def _face(found: ElementTree.Element, where: str) -> LabelledFace:
    corners = [found.findtext(f"bndbox/{corner}") for corner in CORNERS]
    try:
        x1, y1, x2, y2 = (float(corner or "") for corner in corners)
    except ValueError:
        expected = f"bndbox with {', '.join(CORNERS)}"
        raise InputError(f"{where}: expected a {expected}, found {corners}") from None
    counted = (found.findtext("difficult") or "0").strip() != "1"
    return make_face([x1, y1, x2 - x1, y2 - y1], counted=counted, where=where)
