"""A drawn folder, clean; then with one planted fault of each kind, found by file and line."""

import json
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.config import Config, DataConfig
from retinaface_tf.doctor.contact_sheet import write_contact_sheet
from retinaface_tf.doctor.data import examine
from retinaface_tf.doctor.inspection import find_alike, fingerprint, is_flat


def config_for(root: Path, image_size: int = 640) -> Config:
    return Config(data=DataConfig(root=str(root), image_size=image_size))


def found(root: Path) -> list[tuple[str, str, str]]:
    """Kind, place below root and text of all findings."""
    halves = examine(config_for(root)).as_dict()["halves"]
    return [
        (f["kind"], f["where"].removeprefix(f"{root}/"), f["text"])
        for half in halves.values()
        for f in half["findings"]
    ]


@pytest.fixture
def data(drawn, tmp_path) -> Path:
    return shutil.copytree(drawn, tmp_path / "data")


@pytest.fixture(scope="module")
def clean(drawn) -> list[tuple[str, str, str]]:
    """What is found before anything is planted."""
    return found(drawn)


class Labels:
    """train/label.txt, to be spoilt; lines count from 1."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "train/label.txt"
        self.lines = self.file.read_text().splitlines()

    def add(self, *lines: str) -> int:
        """Appends lines; returns the number of the last."""
        self.lines += lines
        self.file.write_text("\n".join(self.lines))
        return len(self.lines)

    def add_image(self, name: str, width: int, height: int, *rows: str) -> int:
        """Appends a noisy image with faces; returns the number of its line."""
        noise = np.random.default_rng(len(self.lines)).integers(0, 255, (9, 9, 3), np.uint8)
        image = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(self.path(name)), image)
        return self.add(f"# {name}", *rows) - len(rows)

    def path(self, name: str) -> Path:
        return self.root / "train/images" / name


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def with_points(box: str, *points: tuple[float, float]) -> str:
    return box + " " + " ".join(f"{x} {y} 0.0" for x, y in points) + " 0.9"


EYE_L, EYE_R, NOSE, MOUTH_L, MOUTH_R = (40, 40), (60, 40), (50, 50), (42, 60), (58, 60)


def test_a_clean_folder_has_nothing_that_hurts_and_no_finding_but_images_without_faces(
    clean, drawn
):
    assert {kind for kind, _, _ in clean} <= {"no faces"}
    diagnosis = examine(config_for(drawn))
    assert diagnosis.hurts() == []
    assert str(diagnosis).endswith("ready to train")


def cut_short(labels: Labels) -> int:
    line = labels.add_image("cut.jpg", 100, 100, "10 10 30 30")
    file = labels.path("cut.jpg")
    file.write_bytes(file.read_bytes()[:-600])
    return line


def garbage_inside(labels: Labels) -> int:
    """A JPEG's start and end, and nothing of an image between them."""
    line = labels.add("# garbage.jpg", "10 10 30 30") - 1
    labels.path("garbage.jpg").write_bytes(b"\xff\xd8" + b"garbage" * 99 + b"\xff\xd9")
    return line


def same_picture_smaller(labels: Labels) -> int:
    source = next((labels.root / "val/images").rglob("*.jpg"))
    image = cv2.imread(str(source))
    smaller = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(labels.path("again.jpg")), smaller, [cv2.IMWRITE_JPEG_QUALITY, 50])
    return labels.add("# again.jpg", "10 10 30 30") - 1


def turned(labels: Labels, *rows: str) -> int:
    line = labels.add_image("turned.jpg", 200, 100, *rows)
    file = labels.path("turned.jpg")
    file.write_bytes(with_orientation(file.read_bytes(), 6))
    return line


def listed_again(labels: Labels) -> int:
    labels.add_image("twice.jpg", 100, 100, "10 10 30 30")
    return labels.add("# twice.jpg", "10 10 30 30") - 1


def in_a_new_image(*rows: str):
    """Plants a face as the last row of an image of 100 x 100."""

    def plant(labels: Labels) -> int:
        return labels.add_image("new.jpg", 100, 100, *rows) + len(rows)

    return plant


FACE = "30 30 40 40"
PLANTED = {
    "missing": ("unreadable", lambda labels: labels.add("# none.jpg", FACE) - 1, "cannot be read"),
    "truncated": ("unreadable", cut_short, "is cut short"),
    "garbage": ("unreadable", garbage_inside, "cannot be decoded: Unknown image file format. "),
    "overlap": ("overlap", same_picture_smaller, "looks like "),
    "turned": ("turned", lambda labels: turned(labels, "30 150 40 40"), "upright 100 x 200"),
    "twice": ("listed twice", listed_again, "listed in line "),
    "tiny": ("size", lambda labels: labels.add_image("s.jpg", 90, 20, "5 5 9 9"), "90 x 20 pixels"),
    "long": (
        "size",
        lambda labels: labels.add_image("l.jpg", 500, 99, "5 5 30 30"),
        "500 x 99 pixels",
    ),
    "empty": ("no faces", lambda labels: labels.add_image("e.jpg", 100, 100), "no face"),
    "flat": ("no area", in_a_new_image("30 30 0 40"), "box 30 30 0 40"),
    "outside": ("outside", in_a_new_image("90 90 40 40"), "in an image of 100 x 100"),
    "border": ("over the border", in_a_new_image("70 30 40 40"), "box 70 30 40 40"),
    "duplicate": ("duplicate", in_a_new_image(FACE, "30 30 40 41"), "that of line "),
    "mirrored": (
        "landmark order",
        in_a_new_image(with_points(FACE, EYE_R, EYE_L, NOSE, MOUTH_R, MOUTH_L)),
        "found (60, 40) (40, 40) (50, 50)",
    ),
    "nose last": (
        "landmark order",
        in_a_new_image(with_points(FACE, EYE_L, EYE_R, MOUTH_L, MOUTH_R, NOSE)),
        "expected left eye, right eye, nose, ",
    ),
    "landmark outside": (
        "landmark outside",
        in_a_new_image(with_points(FACE, EYE_L, EYE_R, (90, 50), MOUTH_L, MOUTH_R)),
        "50% of the box 30 30 40 40 outside of it",
    ),
}


@pytest.mark.parametrize(("kind", "plant", "said"), PLANTED.values(), ids=PLANTED)
def test_each_fault_is_found_at_its_line_and_nothing_else(clean, data, kind, plant, said):
    line = plant(Labels(data))
    new = [finding for finding in found(data) if finding not in clean]
    [(its_kind, where, text)] = new
    assert (its_kind, where) == (kind, f"train/label.txt:{line}")
    assert said in text


def test_labels_of_an_image_before_exif_turns_it_are_found_beside_faces_outside(clean, data):
    line = turned(Labels(data), "150 30 40 40")
    new = [finding[:2] for finding in found(data) if finding not in clean]
    image, face = f"train/label.txt:{line}", f"train/label.txt:{line + 1}"
    assert new == [("sideways", image), ("outside", face)]
    assert "train: sideways" in examine(config_for(data)).hurts()


def test_a_head_upside_down_and_a_profile_are_no_wrong_order(clean, data):
    upside_down = [(100 - x, 100 - y) for x, y in (EYE_L, EYE_R, NOSE, MOUTH_L, MOUTH_R)]
    profile = [(50, 40), (49, 40), (40, 50), (48, 60), (47, 60)]
    labels = Labels(data)
    rows = [with_points(FACE, *points) for points in (upside_down, profile)]
    for number, row in enumerate(rows):
        labels.add_image(f"{number}.jpg", 100, 100, row)
    assert found(data) == clean


def test_a_fault_in_a_hundred_faces_hurts_and_in_fewer_does_not(data):
    labels = Labels(data)
    faces = [f"{20 * x} {20 * y} 15 15" for x in range(20) for y in range(20)]
    labels.add_image("many.jpg", 400, 400, *faces, "10 10 0 9")
    assert examine(config_for(data)).hurts() == []
    labels.add(*[f"10 {10 + i} 0 9" for i in range(9)])
    assert examine(config_for(data)).hurts() == ["train: no area"]


def test_faces_too_small_for_any_anchor_are_counted_and_hurt_when_they_are_most(data):
    # At 64 pixels of 640 a face of 20 has 2, an IoU of 4/256 with the smallest anchor.
    faces = [f"{25 * x} {25 * y} 20 20" for x in range(25) for y in range(25)]
    labels = Labels(data)
    labels.lines = []
    labels.add_image("small.jpg", 640, 640, *faces, "100 100 300 300")
    diagnosis = examine(config_for(data, image_size=64))
    assert diagnosis.as_dict()["halves"]["train"]["heights"]["20-50"] == {
        "faces": 625,
        "reached": 0,
    }
    assert "train: anchors" in diagnosis.hurts()
    assert "625 faces no anchor can match" in str(diagnosis)
    assert "train: anchors" not in examine(config_for(data)).hurts(), "at 640 all are reached"


def test_pictures_are_alike_within_the_bits_allowed_and_no_more():
    grey = np.arange(16 * 17, dtype=np.float32).reshape(16, 17)  # each pixel below the next
    other = grey.copy()
    other[3, 4] = 999  # now above the next: one comparison turns
    prints = np.stack([fingerprint(grey), fingerprint(other), fingerprint(-grey)])
    assert find_alike(prints[:1], prints, most_bits=0) == [(0, 0)]
    assert find_alike(prints[:1], prints, most_bits=1) == [(0, 0), (0, 1)]
    assert find_alike(prints[:1], prints, most_bits=256) == [(0, 0), (0, 1), (0, 2)]


def test_the_contact_sheet_shows_findings_and_needs_nothing_from_elsewhere(data, tmp_path):
    line = PLANTED["outside"][1](Labels(data))
    Labels(data).add("# <i>none.jpg")
    file = tmp_path / "sheet.html"
    write_contact_sheet(file, examine(config_for(data)))
    page = file.read_text()
    assert f"{data}/train/label.txt:{line}" in page
    assert "data:image/jpeg;base64," in page
    assert "&lt;i&gt;none.jpg" in page
    assert "<i>none" not in page
    same_picture_smaller(Labels(data))
    count = page.count("<img")
    write_contact_sheet(file, examine(config_for(data)))
    assert file.read_text().count("<img") == count + 2, "both images that look alike"
    assert "prefers-color-scheme: dark" in page
    for outside in ("http://", "https://", "<script src", "<link"):
        assert outside not in page


@pytest.mark.slow
def test_the_command_writes_json_and_page_and_says_by_its_exit_code_what_it_found(
    command, drawn, data, tmp_path
):
    def run(root: Path):
        return command("-m", "retinaface_tf.doctor", "data", root, f"--out={tmp_path / 'out'}")

    clean = run(drawn)
    assert clean.returncode == 0, clean.stderr
    assert "train: 16 images" in clean.stdout
    line = cut_short(Labels(data))
    spoilt = run(data)
    assert spoilt.returncode == 2
    assert "would hurt training: train: unreadable" in spoilt.stdout
    report = json.loads((tmp_path / "out/data.json").read_text())
    [finding] = [f for f in report["halves"]["train"]["findings"] if f["kind"] == "unreadable"]
    assert finding["where"] == f"{data}/train/label.txt:{line}"
    assert (tmp_path / "out/data.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_folder_without_labels_is_refused_in_a_line(command, tmp_path):
    done = command("-m", "retinaface_tf.doctor", "data", tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {tmp_path}: no labels there, expected {tmp_path}/train/label.txt or "
        f"{tmp_path}/val/label.txt\n"
    )


def test_a_picture_before_a_plain_background_is_known_to_tell_nothing():
    grey = np.random.default_rng(1).uniform(0, 255, (16, 17))
    plain = np.full((16, 17), 255.0)
    plain[5:9, 6:10] = 40
    flat = is_flat(np.stack([fingerprint(grey), fingerprint(plain)]), 32)
    np.testing.assert_array_equal(flat, [False, True])
