"""The README: its length, its links, and its blocks, run as a reader would paste them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from torch_files import write_torch_zip

from retinaface_tf.samples import GRACE_HOPPER

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WEIGHTS = "mobilenet0.25_Final.pth"
# What makes a run of the README's training lines short; the lines themselves stay as they are.
SMALL = {
    "model.backbone": "mobilenet025",
    "data.image_size": 64,
    "train.epochs": 1,
    "train.batch_per_device": 4,
    "train.num_devices": 1,
    "schedule.warmup_epochs": 0,
    "schedule.decay_epochs": "[]",
    "export.parity_images": 1,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(made_up_state, made_up_network, tmp_path_factory) -> Path:
    """Returns a folder with a photo and a file of weights as biubug6 published it, but made up."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copy(GRACE_HOPPER, folder / "photo.jpg")
    write_torch_zip(folder / WEIGHTS, made_up_state(made_up_network("mobilenet025")))
    return folder


def run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_it_is_one_page():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("file", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])
def test_every_link_to_a_file_leads_somewhere(file):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (file.parent / t).exists()]
    assert missing == []


@pytest.mark.slow
def test_its_lines_of_detection_and_python_run(folder):
    shell, python = blocks("sh")[0], blocks("python")[0]
    for line in shell.splitlines():
        run(line, folder)
    assert (folder / "detections" / "photo.jpg").is_file()
    assert (folder / "detections" / "detections.jsonl").is_file()
    (folder / "lines.py").write_text(python)
    assert re.fullmatch(r"\d+ \(\d+, 4\) \(\d+, 5, 2\)\n", run("python lines.py", folder))


@pytest.mark.slow
def test_its_lines_of_training_run(drawn, folder):
    settings = [f"--set '{key}={value}'" for key, value in SMALL.items()]
    settings += [f"--set data.root={drawn}"]
    for name in ("train.py", "eval.py", "export.py", "configs"):
        (folder / name).symlink_to(ROOT / name)
    for line in blocks("sh")[1].splitlines():
        command = line.split(" #")[0]
        stdout = run(f"{command} {' '.join(settings)}", folder)
        if "eval.py" in command:
            assert [line.split()[0] for line in stdout.splitlines()[-3:]] == [
                *("Easy", "Medium", "Hard")
            ]
    assert (folder / "models" / "retinaface" / "1" / "saved_model.pb").is_file()
