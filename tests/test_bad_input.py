"""What a user can mend is told in one line, with exit code 1 and no traceback."""

import shutil
from pathlib import Path

import pytest

CFG = "--cfg=configs/quickstart.yaml"


@pytest.fixture
def data(drawn, tmp_path) -> Path:
    """A copy of the drawn data set, to be spoilt."""
    return shutil.copytree(drawn, tmp_path / "data")


@pytest.fixture
def refused(command, tmp_path):
    """Runs a command that must be refused; returns its one line."""

    def run(*arguments: str) -> str:
        done = command(*arguments, CFG, f"--workdir={tmp_path / 'run'}")
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        lines = [line for line in done.stderr.splitlines() if "dropped" not in line]
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        return lines[0]

    return run


def spoil_line(labels: Path, number: int, text: str) -> None:
    lines = labels.read_text().splitlines()
    lines[number - 1] = text
    labels.write_text("\n".join(lines))


def test_a_wrong_key_is_answered_with_the_right_one(refused):
    assert "train.epoch: unknown key, did you mean epochs?" in refused(
        "train.py", "--set=train.epoch=3"
    )


def test_an_unknown_backbone_is_answered_with_the_known(refused):
    line = refused("train.py", "--set=model.backbone=resnet5")
    assert "model.backbone: input should be 'resnet18', 'resnet34', 'resnet50', " in line
    assert "found 'resnet5'" in line


def test_a_missing_config_is_named(command):
    done = command("train.py", "--cfg=configs/none.yaml")
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: configs/none.yaml: cannot read this config (No such file or directory)\n"
    )


def test_words_besides_flags_are_refused(refused):
    assert "expected flags only, found configs" in refused("train.py", "configs")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "train/label.txt").unlink(), "label.txt: cannot read labels"),
        (
            lambda root: spoil_line(root / "train/label.txt", 2, "1 2 three 4"),
            "label.txt:2: expected",
        ),
        (
            lambda root: spoil_line(root / "train/label.txt", 2, "nan 2 3 4"),
            "label.txt:2: expected",
        ),
        (lambda root: next((root / "train").rglob("*.jpg")).unlink(), "cannot be read"),
        (
            lambda root: [
                p.write_bytes(p.read_bytes()[:-500]) for p in (root / "train").rglob("*.jpg")
            ],
            "is cut short",
        ),
        (lambda root: (root / "train/label.txt").write_text(""), "names no image"),
        (
            lambda root: (root / "train/label.txt").write_text("# a.jpg\n"),
            "label.txt: 0 images to train on, expected at least a global batch of 16",
        ),
    ],
    ids=["no labels", "a word", "a NaN", "no image", "cut images", "empty labels", "no faces"],
)
def test_broken_training_data_is_named(refused, data, spoil, said):
    spoil(data)
    line = refused("train.py", f"--set=data.root={data}")
    assert said in line
    assert str(data) in line


@pytest.mark.slow
def test_without_a_checkpoint_evaluation_says_what_it_looked_for(refused, drawn, tmp_path):
    line = refused("eval.py", f"--set=data.root={drawn}")
    assert f"{tmp_path / 'run' / 'checkpoints'}: looked for a checkpoint, found none" in line
    assert "python train.py" in line


@pytest.mark.slow
def test_an_unreadable_checkpoint_is_named(refused, drawn, tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    shutil.copy("configs/quickstart.yaml", folder.parent / "config.yaml")
    (folder / "checkpoint").write_text('model_checkpoint_path: "step-1"\n')
    for part in ("index", "data-00000-of-00001"):
        (folder / f"step-1.{part}").write_bytes(b"garbage")
    assert "step-1: cannot be read as a checkpoint of this model" in refused(
        "eval.py", f"--set=data.root={drawn}"
    )


@pytest.mark.slow
def test_a_file_that_holds_no_weights_is_named(refused, drawn, tmp_path):
    weights = tmp_path / "x.weights.h5"
    weights.write_bytes(b"garbage")
    line = refused("eval.py", f"--set=data.root={drawn}", f"--weights={weights}")
    assert f"{weights}: not the weights" in line


@pytest.mark.slow
def test_random_weights_are_not_frozen(refused, drawn):
    line = refused("train.py", f"--set=data.root={drawn}", "--set=model.freeze=[stem]")
    assert "model.freeze: would freeze random weights, expected model.pretrained" in line


@pytest.mark.slow
def test_a_device_that_is_not_there_is_named(refused, drawn):
    line = refused("train.py", f"--set=data.root={drawn}", "--set=train.devices=[7]")
    assert "train.devices: expected different numbers below 1" in line
