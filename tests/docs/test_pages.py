"""Checks the links of README and docs/, and runs their blocks as a reader pastes them."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from doc_blocks import (
    LANGUAGES,
    NOT_RUN,
    PAGES,
    README,
    ROOT,
    RUN,
    Block,
    at_small_size,
    blocks,
    why_not_run,
)
from doc_commands import Done, is_ours, run_forked
from tiny_backbone import tiny_backbone
from torch_files import write_torch_zip

from retinaface_tf.samples import EILEEN_COLLINS, GRACE_HOPPER

WEIGHTS = "mobilenet0.25_Final.pth"
# Pages on extending the package are run against a copy of it, by test_extending.py.
RUN_PAGES = [
    page
    for page in PAGES
    if "extending" not in page.parts and any(block.language in RUN for block in blocks(page))
]


class Reader:
    """Pastes blocks into a shell and into Python, in one folder.

    A command that two pages have runs once. Networks are tiny, except for published weights.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._done: set[str] = set()

    def run(self, block: Block) -> None:
        if block.language == "python":
            if why_not_run(block.text) is None:
                with nullcontext() if WEIGHTS in block.text else tiny_backbone():
                    exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})
            return
        for command in block.commands():
            if why_not_run(command) is None and command not in self._done:
                self.shell(at_small_size(command), block.where)
                self._done.add(command)

    def shell(self, command: str, where: str) -> None:
        if is_ours(command):
            done = run_forked(command, self.folder, tiny=WEIGHTS not in command)
        else:
            done = self._other(command)
        assert done.exit_code == 0, f"{where}: {command}\n{done.stdout}{done.stderr}"
        if re.match(r"(python |retinaface )eval", command):
            ap = [line.split()[0] for line in done.stdout.splitlines()[-3:]]
            assert ap == ["Easy", "Medium", "Hard"], where

    def _other(self, command: str) -> Done:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def reader(drawn, made_up_state, made_up_network, tmp_path_factory) -> Reader:
    """Makes a reader with photos, a data set, published weights and a run of their own."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("train.py", "eval.py", "export.py", "configs"):
        (folder / name).symlink_to(ROOT / name)
    for name, photo in {"photo": GRACE_HOPPER, "a": GRACE_HOPPER, "b": EILEEN_COLLINS}.items():
        shutil.copy(photo, folder / f"{name}.jpg")
    video = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    video.write(np.zeros([48, 64, 3], np.uint8))
    video.release()
    write_torch_zip(folder / WEIGHTS, made_up_state(made_up_network("mobilenet025")))
    (folder / "data").mkdir()
    for name in ("widerface", "drawn"):
        (folder / "data" / name).symlink_to(drawn)
    (folder / "ground_truth").symlink_to(drawn / "ground_truth")
    write_labels_and_predictions(drawn, folder)
    reader = Reader(folder)
    train = "retinaface train --cfg mobilenet025 --workdir runs/mine"
    reader.shell(at_small_size(train), "the reader's own run")
    for name in ("a", "b"):
        (folder / "runs" / name).symlink_to("mine")
    return reader


def write_labels_and_predictions(drawn: Path, folder: Path) -> None:
    """Writes a COCO file with its photos, and predictions that find nothing."""
    photos = folder / "photos"
    shutil.copytree(drawn / "train" / "images", photos)
    names = sorted(str(file.relative_to(photos)) for file in photos.rglob("*.jpg"))
    coco = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [
            {"image_id": i, "category_id": 1, "bbox": [10, 10, 40, 50]} for i in range(len(names))
        ],
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / "faces.json").write_text(json.dumps(coco))
    images = drawn / "val" / "images"
    with zipfile.ZipFile(folder / "predictions.zip", "w") as file:
        for image in sorted(images.rglob("*.jpg")):
            name = image.relative_to(images).with_suffix(".txt")
            file.writestr(str(name), f"{image.stem}\n1\n10 10 40 50 0.5\n")


def test_the_readme_is_one_page():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


def test_every_block_says_its_language():
    found = [block for page in PAGES for block in blocks(page)]
    assert [block.where for block in found if block.language not in LANGUAGES] == []


def test_every_reason_not_to_run_a_block_is_needed():
    run = [block for page in RUN_PAGES for block in blocks(page) if block.language in RUN]
    code = [each for b in run for each in ([b.text] if b.language == "python" else b.commands())]
    unused = [p for p in NOT_RUN if not any(re.search(p, each) for each in code)]
    assert unused == []


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(page, reader, monkeypatch):
    monkeypatch.chdir(reader.folder)
    for block in blocks(page):
        if block.language in RUN:
            reader.run(block)
