"""What a user can mend is told in one line, with exit code 1 and no traceback."""

import shutil
from pathlib import Path

import pytest
from tiny_backbone import tiny_backbone

from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.training.loop import train

CFG = "configs/quickstart.yaml"


@pytest.fixture
def refused(command):
    """Runs a command that must be refused; returns its one line."""

    def run(*arguments: str | Path) -> str:
        done = command(*arguments)
        assert done.returncode == 1, done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        return lines[0]

    return run


def test_a_wrong_key_is_answered_with_the_right_one(refused):
    line = refused("train.py", f"--cfg={CFG}", "--set=train.epoch=3")
    assert "train.epoch" in line
    assert "epochs" in line


def test_a_missing_config_is_named(refused):
    assert "configs/none.yaml" in refused("eval.py", "--cfg=configs/none.yaml")


def test_words_besides_flags_are_refused(refused):
    assert "configs" in refused("export.py", f"--cfg={CFG}", "--out=models", "configs")


def test_detect_refuses_to_show_in_crops_the_faces_that_it_blurs(refused):
    line = refused("-m", "retinaface_tf.detect", "album", "--blur", "--crop")
    assert line.startswith("error: --blur: ")


def test_what_shows_once_tensorflow_runs_is_told_in_one_line_too(refused, drawn, tmp_path):
    line = refused("eval.py", f"--cfg={CFG}", f"--workdir={tmp_path}", f"--set=data.root={drawn}")
    assert str(tmp_path / "checkpoints") in line
    assert "train.py" in line
    assert "--weights mobilenet025" in line


@pytest.fixture
def data(drawn, tmp_path) -> Path:
    """Returns a copy of the drawn data set, to be spoilt."""
    return shutil.copytree(drawn, tmp_path / "data")


@pytest.fixture
def complaint(tmp_path, data):
    """Returns the message with which training on `data` is refused."""

    @tiny_backbone()
    def run(*settings: str) -> str:
        settings = (f"data.root={data}", f"train.workdir={tmp_path / 'run'}", *settings)
        with pytest.raises(InputError) as error:
            train(load_config(CFG, settings))
        return str(error.value)

    return run


def test_missing_labels_are_named(complaint, data):
    labels = data / "train/label.txt"
    labels.unlink()
    assert str(labels) in complaint()


def test_a_broken_label_is_named_by_its_line(complaint, data):
    labels = data / "train/label.txt"
    first, _, *rest = labels.read_text().splitlines()
    labels.write_text("\n".join([first, "1 2 three 4", *rest]))
    assert f"{labels}:2: " in complaint()


def test_fewer_images_than_a_batch_are_counted(complaint, data):
    labels = data / "train/label.txt"
    labels.write_text("# a.jpg\n")
    assert f"{labels}: 0 images" in (message := complaint())
    assert "16" in message


@pytest.mark.parametrize(
    ("settings", "largest"),
    [
        (("train.batch_per_device=20",), ["train.batch_per_device=16"]),
        (("train.batch_per_device=9", "train.num_devices=2"), ["train.batch_per_device=8"]),
        (("train.num_devices=20",), ["train.num_devices=1", "train.batch_per_device=16"]),
    ],
)
def test_a_batch_of_more_images_than_there_are_is_told_its_largest_size(
    complaint, data, settings, largest
):
    message = complaint(*settings)
    assert f"{data / 'train/label.txt'}: 16 images" in message
    for setting in largest:
        assert setting in message


def test_a_broken_image_is_named_with_the_line_of_its_label(complaint, data):
    for image in (data / "train").rglob("*.jpg"):
        image.write_bytes(image.read_bytes()[:-500])
    assert f"{data / 'train/label.txt'}:" in (message := complaint())
    assert ".jpg" in message


def test_random_weights_are_not_frozen(complaint):
    assert "model.freeze: " in complaint("model.freeze=[stem]")
