"""Labels of others into the layout: by hand, around and back, and one line for what is wrong."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.data.convert.dataset import split_images, write_dataset
from retinaface_tf.data.convert.readers import READERS, read_labels
from retinaface_tf.data.records import Records
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.wider import load_ground_truth

POINTS = [[20, 30], [40, 30], [30, 40], [22, 50], [38, 50]]


def write_image(file: Path, width: int = 200, height: int = 100) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    cv2.imwrite(str(file), noise)


def convert(kind: str, labels: Path, root: Path, images: Path | None = None, **options) -> Path:
    """Converts labels to validate on."""
    read = read_labels(kind, labels, images, options.get("category", "face"))
    write_dataset(root, split_images([], read, 10))
    return root


def labels_of(root: Path) -> dict[str, tuple[list, list]]:
    """Returns boxes x1 y1 x2 y2 and landmarks (or None) of each image."""
    records = read_records(root / "val/label.txt")
    return {str(name): _faces_of(records, i) for i, name in enumerate(records.images)}


def _faces_of(records: Records, i: int) -> tuple[list, list]:
    rows = slice(records.splits[i], records.splits[i + 1])
    points = zip(records.landmarks[rows].tolist(), records.has_landmarks[rows], strict=True)
    return records.boxes[rows].tolist(), [points if has else None for points, has in points]


def coco(folder: Path, **changes) -> Path:
    """Returns two images, one face with five keypoints, one with none, a crowd and a dog."""
    write_image(folder / "a.jpg")
    write_image(folder / "party/b.jpg")
    triples = [
        v for (x, y), seen in zip(POINTS, (2, 2, 1, 2, 2), strict=True) for v in (x, y, seen)
    ]
    unlabelled = [*triples[:-1], 0]
    content = {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 200, "height": 100},
            {"id": 3, "file_name": "party/b.jpg", "width": 200, "height": 100},
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 5, "name": "face"}],
        "annotations": [
            {"image_id": 7, "category_id": 5, "bbox": [10, 20, 40, 60], "keypoints": triples},
            {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]},
            {"image_id": 3, "category_id": 5, "bbox": [5.25, 6, 30, 35], "keypoints": unlabelled},
            {"image_id": 3, "category_id": 5, "bbox": [0, 0, 90, 90], "iscrowd": 1},
        ],
    } | changes
    file = folder / "coco.json"
    file.write_text(json.dumps(content))
    return file


def test_coco_becomes_boxes_and_landmarks_of_faces_alone(tmp_path):
    root = convert("coco", coco(tmp_path / "theirs"), tmp_path / "ours")
    assert labels_of(root) == {
        "all/a.jpg": ([[10, 20, 50, 80]], [POINTS]),
        "party/b.jpg": ([[5.25, 6, 35.25, 41]], [None]),
    }
    rows = (root / "val/label.txt").read_text().splitlines()
    assert rows[1].split()[10:13] == ["30.000", "40.000", "1.0"], "the nose is occluded"
    ours, theirs = root / "val/images/all/a.jpg", tmp_path / "theirs/a.jpg"
    assert ours.read_bytes() == theirs.read_bytes()


def test_faces_count_by_their_height_as_the_official_files_would_say(tmp_path):
    boxes = [[0, 0, 9, height] for height in (9, 10, 29, 30, 49, 50)]
    annotations = [{"image_id": 7, "category_id": 5, "bbox": box} for box in boxes]
    file = coco(tmp_path / "theirs", annotations=annotations)
    truth = load_ground_truth(convert("coco", file, tmp_path / "ours") / "ground_truth")
    assert list(truth) == ["all/a", "party/b"]
    faces, counted = truth["all/a"]
    assert faces.tolist() == boxes
    assert np.flatnonzero(counted["easy"]).tolist() == [5]
    assert np.flatnonzero(counted["medium"]).tolist() == [3, 4, 5]
    assert np.flatnonzero(counted["hard"]).tolist() == [1, 2, 3, 4, 5]
    assert truth["party/b"][0].shape == (0, 4)


def test_a_single_category_may_have_any_name(tmp_path):
    categories = [{"id": 5, "name": "visage"}]
    file = coco(tmp_path / "theirs", categories=categories)
    assert len(labels_of(convert("coco", file, tmp_path / "ours"))["all/a.jpg"][0]) == 1


YOLO_ROWS = [
    # Of 200 x 100: centre 30 50, 40 x 60.
    ("0 .15 .5 .2 .6", None),
    ("0 .15 .5 .2 .6 .1 .3 .2 .3 .15 .4 .11 .5 .19 .5", POINTS),
    ("0 .15 .5 .2 .6" + " -1" * 10, None),
    ("0 .15 .5 .2 .6 .1 .3 2 .2 .3 2 .15 .4 1 .11 .5 2 .19 .5 2", POINTS),
    ("0 .15 .5 .2 .6 .1 .3 2 .2 .3 2 0 0 0 .11 .5 2 .19 .5 2", None),
]


@pytest.mark.parametrize(("row", "points"), YOLO_ROWS)
@pytest.mark.parametrize("labels", ["labels/train/a.txt", "images/train/a.txt"])
def test_yolos_fractions_become_pixels(tmp_path, row, points, labels):
    write_image(tmp_path / "images/train/a.jpg")
    (tmp_path / labels).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / labels).write_text(f"{row}\n1 .5 .5 .1 .1\n")
    root = convert("yolo", tmp_path / "images/train", tmp_path / "ours")
    [(boxes, [landmarks])] = labels_of(root).values()
    np.testing.assert_allclose(boxes, [[10, 20, 50, 80]], atol=0.01)
    if points is None:
        assert landmarks is None
    else:
        np.testing.assert_allclose(landmarks, points, atol=0.001)


def test_an_image_of_yolo_without_a_label_file_has_no_faces(tmp_path):
    write_image(tmp_path / "images/a.jpg")
    write_image(tmp_path / "images/b.jpg")
    (tmp_path / "images/b.txt").write_text("0 .5 .5 .1 .1")
    root = convert("yolo", tmp_path / "images", tmp_path / "ours")
    assert labels_of(root)["all/a.jpg"] == ([], [])


VOC = """<annotation><filename>a.jpg</filename>
<object><name>face</name><difficult>0</difficult>
<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>50</xmax><ymax>80</ymax></bndbox></object>
<object><name>cat</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>
<object><name>face</name><difficult>1</difficult>
<bndbox><xmin>100</xmin><ymin>0</ymin><xmax>190</xmax><ymax>99</ymax></bndbox></object>
</annotation>"""


@pytest.fixture
def voc(tmp_path) -> Path:
    write_image(tmp_path / "theirs/JPEGImages/a.jpg")
    folder = tmp_path / "theirs/Annotations"
    folder.mkdir()
    (folder / "a.xml").write_text(VOC)
    return folder


def test_voc_becomes_boxes_of_which_the_difficult_do_not_count(voc, tmp_path):
    root = convert("voc", voc, tmp_path / "ours")
    assert labels_of(root) == {"all/a.jpg": ([[10, 20, 50, 80], [100, 0, 190, 99]], [None, None])}
    _, counted = load_ground_truth(root / "ground_truth")["all/a"]
    assert counted["easy"].tolist() == [True, False]


def as_coco(root: Path, split: str, file: Path) -> Path:
    """Writes a split of a data set of ours as COCO has it."""
    records = read_records(root / split / "label.txt")
    annotations = []
    for i in range(len(records)):
        for row in range(records.splits[i], records.splits[i + 1]):
            x1, y1, x2, y2 = records.boxes[row].tolist()
            entry = {"image_id": i, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            if records.has_landmarks[row]:
                points = records.landmarks[row].tolist()
                entry["keypoints"] = [value for x, y in points for value in (x, y, 2)]
            annotations.append(entry)
    images = [{"id": i, "file_name": str(name)} for i, name in enumerate(records.images)]
    categories = [{"id": 1, "name": "face"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("kind", ["coco", "widerface"])
def test_a_data_set_comes_back_as_it_went(drawn, tmp_path, kind, split):
    source = drawn / split
    labels = (
        as_coco(drawn, split, tmp_path / "coco.json") if kind == "coco" else source / "label.txt"
    )
    root = convert(kind, labels, tmp_path / "ours", source / "images")
    ours, theirs = read_records(root / "val/label.txt"), read_records(source / "label.txt")
    assert ours.images.tolist() == theirs.images.tolist()
    assert ours.splits.tolist() == theirs.splits.tolist()
    np.testing.assert_array_equal(ours.has_landmarks, theirs.has_landmarks)
    np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=0.01)
    np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.002)


def test_of_train_alone_every_so_many_th_image_validates():
    images = list(range(1, 8))
    assert split_images(images, [], 3) == {"train": [1, 2, 4, 5, 7], "val": [3, 6]}
    assert split_images(images, [9], 3) == {"train": images, "val": [9]}
    assert split_images([], [9], 3) == {"val": [9]}
    with pytest.raises(InputError, match="--train or --val"):
        split_images([], [], 3)


def bad_yolo(folder: Path, text: str) -> Path:
    write_image(folder / "a.jpg")
    (folder / "a.txt").write_text(text)
    return folder


def bad_voc(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "a.xml").write_text(text)
    return folder


def bad_json(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "coco.json").write_text(text)
    return folder / "coco.json"


def annotated(**entry):
    return lambda folder: coco(folder, annotations=[{"image_id": 7, "category_id": 5} | entry])


def imaged(*entries):
    return lambda folder: coco(folder, images=[*entries], annotations=[])


TWO_CATEGORIES = [{"id": 1, "name": "a"}, {"id": 5, "name": "b"}]
WRONG = {
    "no file": ("coco", lambda f: f / "none.json", r"none.json: "),
    "no JSON": ("coco", lambda f: bad_json(f, '{\n"images": ]'), r"coco.json:2: "),
    "no COCO": ("coco", lambda f: bad_json(f, "[]"), r"coco.json: .*images, annotations, categ"),
    "no box": ("coco", annotated(), r"coco.json: annotations\[0\]: .*bbox"),
    "a box of 3": ("coco", annotated(bbox=[1, 2, 3]), r"annotations\[0\]: .*\[1, 2, 3\]"),
    "a NaN": ("coco", annotated(bbox=[1, 2, 3, float("nan")]), r"annotations\[0\]: .*nan"),
    "no image": ("coco", annotated(bbox=[1, 2, 3, 4], image_id=8), r"coco.json: .*image_id 8"),
    "no faces": ("coco", lambda f: coco(f, categories=TWO_CATEGORIES), r"coco.json: .*face.* a, b"),
    "no images": ("yolo", lambda f: f, r"theirs: "),
    "4 columns": ("yolo", lambda f: bad_yolo(f, "0 1 1 1 1\n0 1 1 1\n"), r"a.txt:2: "),
    "a word": ("yolo", lambda f: bad_yolo(f, "face 1 1 1 1\n"), r"a.txt:1: "),
    "another class": ("yolo", lambda f: bad_yolo(f, "3 1 1 1 1\n"), r"theirs: .* 0.* 3"),
    "no XML files": ("voc", lambda f: f, r"theirs: "),
    "no XML": ("voc", lambda f: bad_voc(f, "<annotation>\n<object>"), r"a.xml:2: "),
    "no VOC": ("voc", lambda f: bad_voc(f, "<svg/>"), r"a.xml: .*<svg>"),
    "no corner": (
        "voc",
        lambda f: bad_voc(f, VOC.replace("<xmax>190</xmax>", "")),
        r"a.xml: object 3: .*xmax",
    ),
    "a list as image_id": ("coco", annotated(bbox=[1, 2, 3, 4], image_id=[7]), r"\[0\]: .*\[7\]"),
    "a list as category": ("coco", annotated(category_id=[5]), r"annotations\[0\]: .*\[5\]"),
    "1e300": ("coco", annotated(bbox=[1, 2, 1e300, 4]), r"annotations\[0\]: .*1e\+300"),
    "400 digits": ("coco", annotated(bbox=[1, 2, 10**400, 4]), r"annotations\[0\]: .*1000"),
    "5,000 digits": ("coco", lambda f: bad_json(f, f'{{"images": {"9" * 5000}}}'), r"coco.json: "),
    "lists in lists": ("coco", lambda f: bad_json(f, "[" * 100_000), r"coco.json: "),
    "two images of one id": (
        "coco",
        imaged({"id": 7, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}),
        r"images\[1\]: a.jpg and b.jpg .*7",
    ),
    "two categories of one id": (
        "coco",
        lambda f: coco(f, categories=[{"id": 5, "name": "face"}, {"id": 5, "name": "dog"}]),
        r"categories\[1\]: face and dog .*5",
    ),
    "a name that is a list": ("coco", imaged({"id": 7, "file_name": ["a"]}), r"images\[0\]: "),
    "pixels": ("yolo", lambda f: bad_yolo(f, "0 100 50 40 60\n"), r"a.txt:1: .*fractions"),
    "landmarks in pixels": (
        "yolo",
        lambda f: bad_yolo(f, "0 .5 .5 .1 .1" + " 70" * 10),
        r"a.txt:1: .*fractions",
    ),
    "an unknown encoding": (
        "voc",
        lambda f: bad_voc(f, '<?xml version="1.0" encoding="klingon"?><annotation/>'),
        r"a.xml: .*klingon",
    ),
    "another encoding than named": (
        "voc",
        lambda f: bad_voc(f, '<?xml version="1.0" encoding="ascii"?><annotation>ä</annotation>'),
        r"a.xml: .*ascii",
    ),
    "no such image": ("voc", lambda f: bad_voc(f, VOC), r"a.jpg: .*--train_images"),
}


@pytest.mark.parametrize(("kind", "plant", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_in_a_line_and_nothing_is_written(tmp_path, kind, plant, said):
    with pytest.raises(InputError) as error:
        convert(kind, plant(tmp_path / "theirs"), tmp_path / "ours")
    assert re.search(said, str(error.value)), error.value
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ours").exists()


def theirs_named(kind: str, folder: Path, name: str) -> tuple[Path, Path | None]:
    """Writes labels of one image of that name, and returns them and the folder of images."""
    if kind == "coco":
        return coco(folder, images=[{"id": 7, "file_name": name}], annotations=[]), None
    write_image(folder / "images/a.jpg")
    if kind == "voc":
        (folder / "xml").mkdir()
        (folder / "xml/a.xml").write_text(VOC.replace("a.jpg", name))
        return folder / "xml", folder / "images"
    (folder / "label.txt").write_text(f"# {name}\n1 2 3 4\n")
    return folder / "label.txt", None


NAMED = ["coco", "voc", "widerface"]


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("name", ["../secret.jpg", "{tmp}/secret.jpg", "..\\secret.jpg", "c:a.jpg"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, kind, name):
    write_image(tmp_path / "secret.jpg")
    write_image(tmp_path / "theirs/secret.jpg")
    labels, images = theirs_named(kind, tmp_path / "theirs", name.format(tmp=tmp_path))
    with pytest.raises(InputError, match=re.escape(str(labels))):
        convert(kind, labels, tmp_path / "ours", images)
    assert not (tmp_path / "ours").exists()


def link_to(folder: Path, target: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(target)


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("name", ["link.jpg", "folder/secret.jpg"])
def test_links_that_lead_out_of_the_folder_are_refused(tmp_path, kind, name):
    write_image(tmp_path / "secret/secret.jpg")
    for folder in (tmp_path / "theirs", tmp_path / "theirs/images"):
        link_to(folder, tmp_path / "secret/secret.jpg", "link.jpg")
        link_to(folder, tmp_path / "secret", "folder")
    labels, images = theirs_named(kind, tmp_path / "theirs", name)
    with pytest.raises(InputError, match=rf"{re.escape(str(labels))}.*{name}.*leads out"):
        convert(kind, labels, tmp_path / "ours", images)


@pytest.mark.parametrize("kind", NAMED)
def test_links_inside_of_the_folder_are_followed(tmp_path, kind):
    for folder in (tmp_path / "theirs", tmp_path / "theirs/images"):
        link_to(folder, Path("a.jpg"), "link.jpg")
    labels, images = theirs_named(kind, tmp_path / "theirs", "link.jpg")
    assert list(labels_of(convert(kind, labels, tmp_path / "ours", images))) == ["all/link.jpg"]


@pytest.mark.parametrize("kind", NAMED)
def test_a_file_that_is_no_image_does_not_come_through_as_one(tmp_path, kind):
    labels, images = theirs_named(kind, tmp_path / "theirs", "secret.jpg")
    for folder in (tmp_path / "theirs", tmp_path / "theirs/images"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.jpg").write_text("BMW: a secret")
    with pytest.raises(InputError, match=r"secret\.jpg: expected an image"):
        convert(kind, labels, tmp_path / "ours", images)


def test_linked_folders_of_yolo_are_followed_and_linked_secrets_refused(tmp_path, caplog):
    write_image(tmp_path / "pool/b.jpg")
    (tmp_path / "pool/b.txt").write_text("0 .5 .5 .1 .1")
    write_image(tmp_path / "theirs/a.jpg")
    link_to(tmp_path / "theirs", tmp_path / "pool", "linked")
    link_to(tmp_path / "theirs", Path("a.jpg"), "inside.jpg")
    names = [image.name for image in read_labels("yolo", tmp_path / "theirs")]
    assert names == ["a.jpg", "inside.jpg", "linked/b.jpg"]
    assert "1 images outside" in caplog.text
    link_to(tmp_path / "theirs", tmp_path / "pool/b.jpg", "secret.jpg")
    with pytest.raises(InputError, match=r"theirs: .*secret\.jpg: a link that leads out"):
        read_labels("yolo", tmp_path / "theirs")


FLAT = [[10, 20, 0, 5], [10, 20, 5, 0], [10, 20, -5, 5], [10, 20, 0.004, 5]]


def flat_coco(folder: Path) -> Path:
    boxes = [*FLAT, [1, 2, 3, 4]]
    return coco(
        folder, annotations=[{"image_id": 7, "category_id": 5, "bbox": box} for box in boxes]
    )


def flat_voc(folder: Path) -> Path:
    write_image(folder / "a.jpg")
    objects = VOC.replace("<xmax>50</xmax>", "<xmax>10</xmax>")
    objects = objects.replace("<ymax>99</ymax>", "<ymax>-4</ymax>")
    more = VOC[VOC.index("<object>") :]
    (folder / "a.xml").write_text(objects.replace("</annotation>", more))
    return folder


def flat_yolo(folder: Path) -> Path:
    return bad_yolo(folder, "0 .5 .5 0 .1\n0 .5 .5 .1 -.1\n0 .5 .5 .1 .1\n")


def flat_widerface(folder: Path) -> Path:
    write_image(folder / "images/a.jpg")
    (folder / "label.txt").write_text("# a.jpg\n1 2 0 4\n1 2 3 -4\n1 2 3 4\n")
    return folder / "label.txt"


@pytest.mark.parametrize(
    ("kind", "plant", "dropped", "kept"),
    [
        ("coco", flat_coco, 4, 1),
        ("voc", flat_voc, 2, 2),
        ("yolo", flat_yolo, 2, 1),
        ("widerface", flat_widerface, 2, 1),
    ],
)
def test_what_is_no_face_is_in_neither_labels_nor_truth_and_counted(
    tmp_path, caplog, kind, plant, dropped, kept
):
    root = convert(kind, plant(tmp_path / "theirs"), tmp_path / "ours")
    assert f"dropped {dropped} faces without width or height" in caplog.text
    caplog.clear()
    boxes, _ = labels_of(root)["all/a.jpg"]
    assert "dropped" not in caplog.text
    assert len(boxes) == len(load_ground_truth(root / "ground_truth")["all/a"].faces) == kept


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_labels_with_a_byte_order_mark_are_read(tmp_path, encoding):
    file = coco(tmp_path / "theirs")
    file.write_text(file.read_text(), encoding=encoding)
    assert len(labels_of(convert("coco", file, tmp_path / "ours"))) == 2


@pytest.mark.parametrize(
    ("encoding", "folder"),
    [("GB2312", "人"), ("Shift_JIS", "人"), ("ISO-8859-1", "ä"), ("UTF-16", "人")],
)
def test_voc_is_read_in_the_encoding_that_it_names(voc, tmp_path, encoding, folder):
    text = f'<?xml version="1.0" encoding="{encoding}"?>{VOC}'
    text = text.replace("</filename>", f"</filename><folder>{folder}</folder>")
    (voc / "a.xml").write_bytes(text.encode(encoding))
    assert len(labels_of(convert("voc", voc, tmp_path / "ours"))["all/a.jpg"][0]) == 2


@pytest.mark.parametrize("name", ["0", "a.b"])
def test_an_image_may_be_named_without_its_suffix(voc, tmp_path, name):
    write_image(voc.parent / f"JPEGImages/{name}.JPG")
    (voc / "a.xml").write_text(VOC.replace("a.jpg", name))
    assert list(labels_of(convert("voc", voc, tmp_path / "ours"))) == [f"all/{name}.JPG"]
    write_image(voc.parent / f"JPEGImages/{name}.png")
    with pytest.raises(InputError, match=rf"a\.xml: .*{name}\.JPG and {name}\.png"):
        read_labels("voc", voc)


def test_the_command_names_every_format_of_the_table():
    command = Path(__file__).parents[3] / "retinaface_tf/data/convert/__main__.py"
    assert f"--from {'|'.join(READERS)} " in command.read_text()


def test_images_that_differ_in_their_extension_alone_are_refused(tmp_path):
    for name in ("a.jpg", "a.png"):
        write_image(tmp_path / "theirs" / name)
    (tmp_path / "theirs/a.txt").write_text("0 .5 .5 .1 .1")
    with pytest.raises(InputError, match=r"theirs: a\.jpg and a\.png"):
        read_labels("yolo", tmp_path / "theirs")


def test_an_image_that_is_named_twice_is_refused(tmp_path):
    images = [{"id": i, "file_name": "a.jpg"} for i in (7, 8)]
    with pytest.raises(InputError, match=r"coco\.json: a\.jpg and a\.jpg"):
        read_labels("coco", coco(tmp_path / "theirs", images=images, annotations=[]))


def test_images_of_several_folders_that_would_get_one_name_are_refused(tmp_path):
    for name in ("a/b/c.jpg", "a_b/c.jpg"):
        write_image(tmp_path / "theirs" / name)
    (tmp_path / "theirs/a/b/c.txt").write_text("0 .5 .5 .1 .1")
    with pytest.raises(InputError, match=r"a_b/c$"):
        convert("yolo", tmp_path / "theirs", tmp_path / "ours")


def test_the_command_converts_splits_and_says_how_faces_count(command, drawn, tmp_path):
    labels = as_coco(drawn, "train", tmp_path / "coco.json")
    arguments = ("-m", "retinaface_tf.data.convert", "--from=coco", f"--train={labels}")
    arguments += (f"--train_images={drawn}/train/images", f"--to={tmp_path / 'ours'}")
    done = command(*arguments, "--val_every=4")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("train: 12 images, ")
    assert lines[1].startswith("val: 4 images, ")
    assert (
        lines[2] == "ground truth by height in pixels: easy from 50, medium from 30, hard from 10"
    )
    assert lines[3].endswith(f"doctor data {tmp_path / 'ours'} --cfg mobilenet025")
    again = command(*arguments)
    assert again.returncode == 1
    assert "exists already" in again.stderr
