"""Reads Pascal VOC XML files, one for each image: `object`s with a `name` and a `bndbox`.

Corners are taken as they are, as labelImg and CVAT write them; VOC's own files count pixels from 1,
and are one off. A `difficult` object is trained on, but missing it does not count as an error. VOC
has no landmarks.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

from retinaface_tf.data.convert.images import find_image
from retinaface_tf.data.convert.labelled import (
    LabelledFace,
    LabelledImage,
    make_face,
    unknown_category,
)
from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files, read_bytes
from retinaface_tf.data.names import relative_name
from retinaface_tf.errors import InputError, one_line

IMAGES = "JPEGImages"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)["']""", re.ASCII)


def read_voc(folder: Path, images: Path | None, category: str) -> list[LabelledImage]:
    """Reads a folder of XML files; images are in `images`, in JPEGImages beside it, or in it.

    Raises:
        InputError: there are no XML files, one is not VOC's, or none has the category; the message
            names the file.
    """
    files = find_files(folder, (".xml",), expected=IMAGE_SUFFIXES)
    if not files:
        raise InputError(f"{folder}: no .xml files there, expected a folder such as Annotations")
    beside = folder.parent / IMAGES
    root = images or (beside if beside.is_dir() else folder)
    names: set[str] = set()
    labelled = []
    for file in files:
        tree = _parse(file)
        names |= {_name(found) for found in tree.iter("object")}
        stated = relative_name((tree.findtext("filename") or "").strip(), f"{file}: filename")
        faces = _faces(tree, category, file)
        image = find_image(root, str(file.relative_to(folder).parent / stated), str(file))
        labelled.append(LabelledImage(root / image, image, faces))
    if category not in names:
        raise unknown_category(folder, category, names)
    return labelled


def _faces(tree: ElementTree.Element, category: str, file: Path) -> list[LabelledFace]:
    return [
        _face(found, f"{file}: object {number}")
        for number, found in enumerate(tree.iter("object"), start=1)
        if _name(found) == category
    ]


def _name(found: ElementTree.Element) -> str:
    return str(found.findtext("name"))


def _parse(file: Path) -> ElementTree.Element:
    content = read_bytes(file)
    declared = _ENCODING.match(content)
    try:
        # Python knows multi-byte encodings, such as GB2312, that its XML parser does not.
        text = content.decode(declared[1].decode()) if declared else content
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{file}:{error.position[0]}: not XML: {error}") from None
    except (LookupError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{file}: not text in the encoding that it names: {reason}") from None
    if tree.tag != "annotation":
        raise InputError(f"{file}: expected VOC's <annotation>, found <{tree.tag:.40}>")
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
