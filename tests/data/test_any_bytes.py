"""Whatever is in them, others' files are read or refused in one line."""

import copy
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data.image_files import jpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from retinaface_tf.data.convert.readers import read_labels
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.prediction_files import read_predictions

LABELS = "# e/a.jpg\n1 2 3 4\n# e/b.jpg\n1 2 3 4" + " 5 6 0" * 5 + " 0.9\n"
OFFICIAL = "e/a.jpg\n1\n1 2 3 4 0 0 0 0 0 0\ne/b.jpg\n0\n"
VOC = """<?xml version="1.0" encoding="utf-8"?><annotation><filename>a.jpg</filename><object>
<name>face</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""
PREDICTIONS = "a\n2\n1 2 3 4 0.5\n5 6 7 8 0.25\n"
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "categories": [{"id": 1, "name": "face"}],
    "annotations": [
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2] * 5}
    ],
}
# By name: the file to write, good content of it, and what reads it in its folder.
READERS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "labels": ("label.txt", LABELS, lambda root: read_records(root / "label.txt")),
    "official": ("label.txt", OFFICIAL, lambda root: read_records(root / "label.txt")),
    "coco": ("a.json", json.dumps(COCO), lambda root: read_labels("coco", root / "a.json")),
    "yolo": ("a.txt", "0 .5 .5 .1 .1\n1 .5 .5 .1 .1\n", lambda root: read_labels("yolo", root)),
    "voc": ("a.xml", VOC, lambda root: read_labels("voc", root)),
    "predictions": ("e/a.txt", PREDICTIONS, lambda root: read_predictions(root)),
}
ZIPS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def changed(good: bytes) -> st.SearchStrategy[bytes]:
    """Replaces a stretch of good content by any bytes, or all of it."""
    place = st.integers(0, len(good))
    new = st.binary(max_size=20) | st.sampled_from([b"\0", b"9" * 5000, b"1e300", b"\xff", b"../"])
    stretch = st.builds(
        lambda a, b, content: good[: min(a, b)] + content + good[max(a, b) :], place, place, new
    )
    return st.binary(max_size=200) | stretch


def answer(root: Path, file: str, content: bytes, read: Callable[[Path], object]) -> str | None:
    """Returns the line of a refusal, None if the file is read; lets nothing else through."""
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_bytes(content)
    try:
        read(root)
    except InputError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("theirs")
    (root / "a.jpg").write_bytes(jpeg())
    return root


@pytest.mark.parametrize(("file", "good", "read"), READERS.values(), ids=READERS)
def test_any_content_is_read_or_refused_in_one_line(folder, file, good, read):
    root = folder if file.startswith("a.") else folder / "alone"
    assert answer(root, file, good.encode(), read) is None

    @settings(max_examples=200, deadline=None)
    @given(content=changed(good.encode()))
    def check(content: bytes) -> None:
        line = answer(root, file, content, read)
        assert line is None or (line.startswith(str(root)) and line.isprintable())

    check()
    (root / file).unlink()


@pytest.mark.parametrize("kind", ZIPS)
def test_any_zip_is_read_or_refused_in_one_line(tmp_path, kind):
    def read(root: Path) -> object:
        return read_predictions(root / "a.zip")

    good = io.BytesIO()
    with zipfile.ZipFile(good, "w", kind) as archive:
        archive.writestr("e/ä.txt", PREDICTIONS)
    assert (
        answer(tmp_path, "a.zip", good.getvalue(), lambda root: read_predictions(root / "a.zip"))
        is None
    )

    @settings(max_examples=200, deadline=None)
    @given(content=changed(good.getvalue()))
    def check(content: bytes) -> None:
        line = answer(tmp_path, "a.zip", content, read)
        assert line is None or (line.startswith(str(tmp_path)) and "\n" not in line)

    check()


def places(tree: Any, path: tuple = ()) -> list[tuple]:
    """Lists the paths of all values in a tree of JSON."""
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree if isinstance(tree, list) else ())
    )
    return [path, *(each for key, value in items for each in places(value, (*path, key)))]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(places(COCO)[1:]), value=ANY_JSON)
def test_any_value_anywhere_in_coco_is_read_or_refused_in_one_line(folder, place, value):
    tree = copy.deepcopy(COCO)
    parent = tree
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    content = json.dumps(tree).encode()
    line = answer(folder, "a.json", content, lambda root: read_labels("coco", root / "a.json"))
    assert line is None or (line.startswith(str(folder)) and line.isprintable())
