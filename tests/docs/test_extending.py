"""Applies the worked examples of docs/extending to a copy of the package, and tries them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import ROOT, Block, blocks

EXAMPLES = sorted((ROOT / "docs" / "extending").glob("*.md"))


def apply(block: Block, folder: Path) -> None:
    """Writes a new file, or replaces the lines of a diff, which the file must have once."""
    file = folder / block.title
    if block.language == "diff":
        lines = block.text.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{block.where}: not once in {block.title}"
        file.write_text(text.replace(before, after), encoding="utf-8")
    else:
        assert not file.exists(), f"{block.where}: {block.title} is there already"
        file.write_text(block.text, encoding="utf-8")


def try_out(block: Block, checkout: Path, folder: Path) -> str:
    script = folder / "try.py"  # a file: AutoGraph converts no function without its source
    script.write_text(block.text, encoding="utf-8")
    is_python = block.language == "python"
    done = subprocess.run(
        [sys.executable, script] if is_python else ["bash", "-eu", script],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(checkout),
            "PATH": f"{checkout}/bin{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block.where}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def checkout(tmp_path) -> Path:
    """Copies the package, and makes a command `retinaface` of the copy."""
    folder = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "retinaface_tf",
        folder / "retinaface_tf",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (folder / "configs").symlink_to(ROOT / "configs")
    command = folder / "bin" / "retinaface"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m retinaface_tf "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.stem)
def test_a_worked_example_applies_to_the_package_as_it_is(page, checkout):
    changes = [block for block in blocks(page) if block.title]
    assert changes
    for block in changes:
        apply(block, checkout)
        compile((checkout / block.title).read_text(encoding="utf-8"), block.title, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.stem)
def test_a_worked_example_does_what_its_page_says(page, checkout, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    found = list(blocks(page))
    for block in found:
        if block.title:
            apply(block, checkout)
    trials = [block for block in found if not block.title]
    assert trials
    for block in trials:
        assert try_out(block, checkout, folder)
