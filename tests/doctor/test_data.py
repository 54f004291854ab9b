"""One drawn folder with a fault of each kind, all found by file and line; and clean folders."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from data.image_files import exif

from retinaface_tf.config import Config, DataConfig
from retinaface_tf.doctor.contact_sheet import write_contact_sheet
from retinaface_tf.doctor.data import examine
from retinaface_tf.doctor.diagnosis import Diagnosis, SplitDiagnosis
from retinaface_tf.doctor.findings import Finding, Severity
from retinaface_tf.doctor.inspection import find_alike, fingerprint, is_flat
from retinaface_tf.errors import InputError


def config_for(root: Path, image_size: int = 640) -> Config:
    return Config(data=DataConfig(root=str(root), image_size=image_size))


class Labels:
    """train/label.txt, to be spoilt; lines count from 1."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "train/label.txt"
        self.lines = self.file.read_text().splitlines() if self.file.exists() else []

    def add(self, *lines: str) -> int:
        """Appends lines; returns the number of the first."""
        first = len(self.lines) + 1
        self.lines += lines
        self.file.write_text("\n".join(self.lines))
        return first

    def add_image(self, name: str, width: int, height: int, *rows: str) -> int:
        """Appends a noisy image with faces; returns the number of its line."""
        noise = np.random.default_rng(len(self.lines)).integers(0, 255, (9, 9, 3), np.uint8)
        image = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self.path(name)), image)
        return self.add(f"# {name}", *rows)

    def path(self, name: str) -> Path:
        return self.root / "train/images" / name


# Faults. Each function plants one in an image of that name and returns the line that names it.


def missing(labels: Labels, name: str) -> int:
    return labels.add(f"# {name}", FACE)


def cut_short(labels: Labels, name: str) -> int:
    line = labels.add_image(name, 100, 100, FACE)
    file = labels.path(name)
    file.write_bytes(file.read_bytes()[:-600])
    return line


def garbage_inside(labels: Labels, name: str) -> int:
    """Returns a JPEG's start and end, and nothing of an image between them."""
    labels.path(name).write_bytes(b"\xff\xd8" + b"garbage" * 99 + b"\xff\xd9")
    return labels.add(f"# {name}", FACE)


def same_picture_smaller(labels: Labels, name: str) -> int:
    source = next((labels.root / "val/images").rglob("*.jpg"))
    smaller = cv2.resize(
        cv2.imread(str(source)), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA
    )
    cv2.imwrite(str(labels.path(name)), smaller, [cv2.IMWRITE_JPEG_QUALITY, 50])
    return labels.add(f"# {name}", FACE)


def turned(row: str):
    """Returns an image of 200 x 100 that EXIF turns to 100 x 200."""

    def plant(labels: Labels, name: str) -> int:
        line = labels.add_image(name, 200, 100, row)
        file = labels.path(name)
        jpeg = file.read_bytes()
        file.write_bytes(jpeg[:2] + exif(6) + jpeg[2:])
        return line

    return plant


def listed_again(labels: Labels, name: str) -> int:
    labels.add_image(name, 100, 100, FACE)
    return labels.add(f"# {name}", FACE)


def of_size(width: int, height: int):
    return lambda labels, name: labels.add_image(name, width, height, "5 5 12 12")


def without_face(labels: Labels, name: str) -> int:
    return labels.add_image(name, 100, 100)


def last_face(*rows: str):
    """Returns the last face of an image of 100 x 100, which is the fault."""
    return lambda labels, name: labels.add_image(name, 100, 100, *rows) + len(rows)


def with_points(*points: tuple[float, float]) -> str:
    return f"{FACE} {' '.join(f'{x} {y} 0.0' for x, y in points)} 0.9"


FACE = "30 30 40 40"
EYE_L, EYE_R, NOSE, MOUTH_L, MOUTH_R = (40, 40), (60, 40), (50, 50), (42, 60), (58, 60)
FAR_NOSE = with_points(EYE_L, EYE_R, (90, 50), MOUTH_L, MOUTH_R)


@dataclass(frozen=True)
class Fault:
    kind: str
    plant: Callable[[Labels, str], int]
    said: str  # numbers and names in the finding's text
    name: str = "a.jpg"


FAULTS = {
    "missing": Fault("unreadable", missing, "", name="<i>none.jpg"),
    "truncated": Fault("unreadable", cut_short, ""),
    "garbage": Fault("unreadable", garbage_inside, "not a JPEG"),
    "overlap": Fault("overlap", same_picture_smaller, "val/label.txt:"),
    "turned": Fault("turned", turned("30 150 40 40"), "100 x 200"),
    "sideways": Fault("sideways", turned("150 30 40 40"), "100 x 200"),
    "listed twice": Fault("listed twice", listed_again, ""),
    "tiny": Fault("size", of_size(60, 20), "60 x 20"),
    "elongated": Fault("size", of_size(500, 99), "500 x 99"),
    "no faces": Fault("no faces", without_face, ""),
    "no area": Fault("no area", last_face("30 30 0 40"), "30 30 0 40"),
    "outside": Fault("outside", last_face("90 90 40 40"), "100 x 100"),
    "border": Fault("over the border", last_face("70 30 40 40"), "70 30 40 40"),
    "duplicate": Fault("duplicate", last_face(FACE, "30 30 40 41"), "30 30 40 41"),
    "mirrored": Fault(
        "landmark order",
        last_face(with_points(EYE_R, EYE_L, NOSE, MOUTH_R, MOUTH_L)),
        "(60, 40) (40, 40) (50, 50)",
    ),
    "nose last": Fault(
        "landmark order",
        last_face(with_points(EYE_L, EYE_R, MOUTH_L, MOUTH_R, NOSE)),
        "(42, 60) (58, 60) (50, 50)",
    ),
    "upside down as seen": Fault(
        "not upright",
        last_face(with_points((42, 60), (58, 60), NOSE, (40, 40), (60, 40))),
        "(42, 60) (58, 60) (50, 50)",
    ),
    "on its side": Fault(
        "not upright",
        last_face(with_points((40, 40), (40, 60), NOSE, (60, 42), (60, 58))),
        "(40, 40) (40, 60) (50, 50)",
    ),
    "landmark outside": Fault("landmark outside", last_face(FAR_NOSE), "50%"),
}
FITTING = {
    "upside down": [(100 - x, 100 - y) for x, y in (EYE_L, EYE_R, NOSE, MOUTH_L, MOUTH_R)],
    "profile": [(50, 40), (49, 40), (40, 50), (48, 60), (47, 60)],
}


@dataclass(frozen=True)
class Examined:
    root: Path
    diagnosis: Diagnosis
    lines: dict[str, int]  # of FAULTS, where they were planted


def findings_of(diagnosis: Diagnosis) -> dict[str, tuple[str, str]]:
    """Returns kind and text of each finding by its place below the root."""
    root = diagnosis.config.data.root
    return {
        split.split.where(finding).removeprefix(f"{root}/"): (finding.kind, finding.text)
        for split in diagnosis.splits
        for finding in split.findings
    }


@pytest.fixture(scope="module")
def clean(drawn) -> Diagnosis:
    return examine(config_for(drawn))


@pytest.fixture(scope="module")
def spoilt(drawn, tmp_path_factory) -> Examined:
    """Returns the drawn folder with all faults at once, and faces that only look like faults."""
    root = shutil.copytree(drawn, tmp_path_factory.mktemp("spoilt") / "data")
    labels = Labels(root)
    lines = {}
    for number, (key, fault) in enumerate(FAULTS.items()):
        lines[key] = fault.plant(labels, fault.name.replace("a.jpg", f"{number}.jpg"))
    for key, points in FITTING.items():
        labels.add_image(f"{key}.jpg", 100, 100, with_points(*points))
    return Examined(root, examine(config_for(root)), lines)


def test_a_clean_folder_has_no_finding_but_images_without_faces_and_is_ready(clean):
    assert {kind for kind, _ in findings_of(clean).values()} <= {"no faces"}
    assert clean.blocking() == []
    assert str(clean).splitlines()[-1] == "ready to train"


@pytest.mark.parametrize("key", FAULTS)
def test_each_fault_is_found_at_its_line(spoilt, key):
    kind, text = findings_of(spoilt.diagnosis)[f"train/label.txt:{spoilt.lines[key]}"]
    assert kind == FAULTS[key].kind
    assert FAULTS[key].said in text


def test_nothing_else_is_found(clean, spoilt):
    places = {f"train/label.txt:{line}" for line in spoilt.lines.values()}
    # A face that fits an image only before EXIF turns it lies outside of the image.
    places.add(f"train/label.txt:{spoilt.lines['sideways'] + 1}")
    assert findings_of(spoilt.diagnosis).keys() - findings_of(clean).keys() == places
    count = sum(len(split.findings) for split in spoilt.diagnosis.splits)
    assert count == len(findings_of(spoilt.diagnosis)), "each place has one finding"


def test_a_fatal_fault_blocks_training_and_a_harmless_one_does_not(spoilt):
    blocking = spoilt.diagnosis.blocking()
    assert {"train: unreadable", "train: overlap", "train: sideways"} <= set(blocking)
    assert not {"train: turned", "train: size", "train: no faces"} & set(blocking)
    *_, closing, unreadable, _, _ = str(spoilt.diagnosis).splitlines()
    assert closing == "not ready to train: train: unreadable, train: overlap, train: sideways"
    assert "data.unreadable=skip" in unreadable


def test_examples_of_findings_name_the_line_and_the_image(spoilt):
    key = "outside"
    number = list(FAULTS).index(key)
    place = f"{spoilt.root}/train/label.txt:{spoilt.lines[key]}"
    assert f"{place}: {number}.jpg: box 90 90 40 40" in str(spoilt.diagnosis)


@pytest.mark.parametrize(
    ("severity", "count", "population", "blocks"),
    [
        (Severity.FATAL, 0, 100, False),
        (Severity.FATAL, 1, 100, True),
        (Severity.SYSTEMATIC, 0, 0, False),
        (Severity.SYSTEMATIC, 5, 500, True),
        (Severity.SYSTEMATIC, 5, 501, False),
        (Severity.SYSTEMATIC, 4, 30, False),  # a few of a small set
        (Severity.SYSTEMATIC, 5, 30, True),
        (Severity.SYSTEMATIC, 2, 3, False),
        (Severity.SYSTEMATIC, 3, 3, True),  # all there are
        (Severity.PREVALENT, 50, 100, True),
        (Severity.PREVALENT, 49, 100, False),
        (Severity.PREVALENT, 3, 6, False),
        (Severity.HARMLESS, 100, 100, False),
    ],
)
def test_how_many_findings_block_training_goes_by_their_severity(
    severity, count, population, blocks
):
    assert severity.is_blocking(count, population) == blocks


def test_findings_about_faces_are_counted_among_faces(clean):
    split = clean.splits[0].split
    needed = max(5, -(-len(split.records.boxes) // 100))  # a hundredth, rounded up
    finding = Finding("no area", 0, 0, "")
    matchable = np.ones(len(split.records.boxes), bool)
    assert SplitDiagnosis(split, [finding] * (needed - 1), matchable).blocking() == []
    assert SplitDiagnosis(split, [finding] * needed, matchable).blocking() == ["no area"]


def test_faces_too_small_for_any_anchor_are_counted_and_block_when_they_are_most(tmp_path):
    # At 64 pixels of 640 a face of 20 has 2, an IoU of 4/256 with the smallest anchor.
    faces = [f"{25 * x} {25 * y} 20 20" for x in range(25) for y in range(25)]
    Labels(tmp_path).add_image("small.jpg", 640, 640, *faces, "100 100 300 300")
    diagnosis = examine(config_for(tmp_path, image_size=64))
    assert ("20-50", 625, 0) in diagnosis.splits[0].heights()
    assert "train: anchors" in diagnosis.blocking()
    assert "  625 faces" in str(diagnosis)
    assert "train: anchors" not in examine(config_for(tmp_path)).blocking(), "at 640 all match"


def test_a_folder_without_labels_is_refused_with_the_files_that_were_looked_for(tmp_path):
    with pytest.raises(InputError) as error:
        examine(config_for(tmp_path))
    assert str(error.value).startswith(f"{tmp_path}: ")
    assert f"{tmp_path}/train/label.txt" in str(error.value)
    assert f"{tmp_path}/val/label.txt" in str(error.value)


def test_pictures_are_alike_within_the_bits_allowed_and_no_more():
    grey = np.arange(16 * 17, dtype=np.float32).reshape(16, 17)  # each pixel below the next
    other = grey.copy()
    other[3, 4] = 999  # now above the next: one comparison turns
    prints = np.stack([fingerprint(grey), fingerprint(other), fingerprint(-grey)])
    assert find_alike(prints[:1], prints, max_bits=0) == [(0, 0)]
    assert find_alike(prints[:1], prints, max_bits=1) == [(0, 0), (0, 1)]
    assert find_alike(prints[:1], prints, max_bits=256) == [(0, 0), (0, 1), (0, 2)]


def test_a_picture_before_a_plain_background_tells_nothing():
    grey = np.random.default_rng(1).uniform(0, 255, (16, 17))
    plain = np.full((16, 17), 255.0)
    plain[5:9, 6:10] = 40
    flat = is_flat(np.stack([fingerprint(grey), fingerprint(plain)]), 32)
    np.testing.assert_array_equal(flat, [False, True])


def test_the_json_names_what_blocks_and_each_finding_by_file_and_line(spoilt, tmp_path):
    spoilt.diagnosis.save(tmp_path / "out/data.json")
    content = json.loads((tmp_path / "out/data.json").read_text())
    assert content["blocking"] == spoilt.diagnosis.blocking()
    train = content["splits"]["train"]
    assert train["images"] == len(spoilt.diagnosis.splits[0].split.records)
    assert train["heights"]["20-50"]["faces"] > 0
    places = {(finding["kind"], finding["where"]) for finding in train["findings"]}
    for key, line in spoilt.lines.items():
        assert (FAULTS[key].kind, f"{spoilt.root}/train/label.txt:{line}") in places


def test_the_contact_sheet_shows_findings_and_needs_nothing_from_elsewhere(spoilt, tmp_path):
    write_contact_sheet(tmp_path / "sheet.html", spoilt.diagnosis)
    page = (tmp_path / "sheet.html").read_text()
    assert f">train/label.txt:{spoilt.lines['outside']}<" in page  # below the root in the heading
    assert "&lt;i&gt;none.jpg" in page
    assert "<i>none" not in page
    figures = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    [overlap] = [f for f in figures if f"label.txt:{spoilt.lines['overlap']}<" in f]
    assert overlap.count('href="data:image/jpeg;base64,') == 2, "both images that look alike"
    assert "color-scheme: light dark" in page
    for outside in ("http://", "https://", "<script src", '<link rel="stylesheet'):
        assert outside not in page


@pytest.mark.slow
def test_the_command_writes_json_and_page_and_says_by_its_exit_code_what_it_found(
    command, drawn, spoilt, tmp_path
):
    def run(root: Path):
        return command("-m", "retinaface_tf.doctor", "data", root, f"--out={tmp_path / 'out'}")

    ready = run(drawn)
    assert ready.returncode == 0, ready.stderr
    assert "train: 16 images" in ready.stdout
    assert ready.stdout.splitlines()[-1] == (
        f"next: python -m retinaface_tf.training --cfg res50 --set data.root={drawn}"
    )
    assert run(spoilt.root).returncode == 2
    assert json.loads((tmp_path / "out/data.json").read_text())["blocking"]
    assert (tmp_path / "out/data.html").stat().st_size > 10_000
