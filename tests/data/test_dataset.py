"""Opening a data set: drawn on first use if it is the embedded one, checked before any use."""

import logging
import shutil

import numpy as np
import pytest
from data.image_files import jpeg, segment, with_scans

from retinaface_tf.config import Config, DataConfig, LossConfig
from retinaface_tf.data.dataset import training_set, validation_set
from retinaface_tf.errors import InputError


def config_of(root, *, min_negatives: int = 0, **data) -> Config:
    return Config(
        data=DataConfig(root=str(root), **data), loss=LossConfig(min_negatives=min_negatives)
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Returns a data set that opening it has drawn: three images to train on, two to validate."""
    root = tmp_path_factory.mktemp("parent") / "not/yet/there"
    training_set(config_of(root, drawn_train=3, drawn_val=2))
    return root


@pytest.fixture
def root(drawn, tmp_path):
    """Returns a copy of it to spoil."""
    return shutil.copytree(drawn, tmp_path / "copy")


def test_the_embedded_data_is_drawn_on_first_use(drawn):
    config = config_of(drawn, drawn_train=3, drawn_val=2)
    assert len(training_set(config)) == 3
    assert len(validation_set(config)) == 2
    assert (drawn / "ground_truth/wider_easy_val.mat").is_file()


def test_validating_draws_as_well_as_training(tmp_path, caplog):
    root = tmp_path / "drawn"
    with caplog.at_level(logging.INFO):
        records = validation_set(config_of(root, drawn_train=1, drawn_val=1))
    assert len(records) == 1
    assert records.label_file == root / "val/label.txt"
    assert f"{root}: drawing 1 + 1 images of faces" in caplog.messages


def test_broken_training_images_are_skipped_if_asked_for_named_and_counted(root, caplog):
    whole = training_set(config_of(root))
    cut, garbage, good = (whole.path(i) for i in range(3))
    cut.write_bytes(cut.read_bytes()[:-100])
    # With all markers, so that only decoding tells.
    data = bytearray(garbage.read_bytes())
    data[data.index(b"\xff\xc0") + 9] = 9  # components
    garbage.write_bytes(data)
    with pytest.raises(InputError, match=r"label.txt:1: .* is cut short"):
        training_set(config_of(root))
    records = training_set(config_of(root, unreadable="skip"))
    assert [records.path(i) for i in range(len(records))] == [good]
    faces = slice(whole.splits[2], whole.splits[3])
    np.testing.assert_array_equal(records.boxes, whole.boxes[faces])
    np.testing.assert_array_equal(records.landmarks, whole.landmarks[faces])
    assert records.splits.tolist() == [0, len(records.boxes)]
    assert records.where(0) == whole.where(2)
    (message,) = caplog.messages
    assert "label.txt: skipped 2 of 3 images: " in message
    assert f"{whole.images[0]} is cut short" in message
    assert f"{whole.images[1]} cannot be decoded" in message


def test_where_nothing_can_be_read_nothing_is_left(root):
    for path in map(training_set(config_of(root)).path, range(3)):
        path.unlink()
    records = training_set(config_of(root, unreadable="skip"))
    assert len(records) == len(records.boxes) == 0


def test_images_to_validate_on_are_never_skipped(root):
    records = validation_set(config_of(root))
    records.path(0).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        validation_set(config_of(root, unreadable="skip"))


def test_what_exists_is_not_drawn_again(root, caplog):
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*.*")}
    with caplog.at_level(logging.INFO):
        assert len(training_set(config_of(root, drawn_train=5, drawn_val=5))) == 3
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*.*")} == before
    assert not caplog.messages


def test_a_folder_without_labels_is_named_not_drawn_into(tmp_path):
    with pytest.raises(InputError, match=r"train/label\.txt: .*data\.root"):
        training_set(config_of(tmp_path, drawn_train=2, drawn_val=2))
    assert not any(tmp_path.iterdir())


def test_without_data_the_setting_and_the_demo_are_named_and_nothing_is_drawn(tmp_path):
    root = tmp_path / "widerface"
    for opening, split in ((training_set, "train"), (validation_set, "val")):
        labels = root / split / "label.txt"
        with pytest.raises(InputError, match=rf"^{labels}: .*data\.root.*make demo"):
            opening(config_of(root, drawn_val=2))
    assert not root.exists()


def test_labels_may_lie_elsewhere(root, tmp_path):
    (root / "train/few.txt").write_text((root / "train/label.txt").read_text())
    config = config_of(tmp_path, train_labels=str(root / "train/few.txt"))
    assert training_set(config).label_file == root / "train/few.txt"


@pytest.mark.parametrize("opening", [training_set, validation_set])
def test_an_image_cut_short_is_named_on_opening(root, opening):
    for split in ("train", "val"):
        for image in (root / split).rglob("*.jpg"):
            image.write_bytes(image.read_bytes()[:-2])
    with pytest.raises(InputError, match=r"label\.txt:1: .*\.jpg is cut short"):
        opening(config_of(root))


def test_an_image_with_data_behind_its_end_is_whole(root):
    for split in ("train", "val"):
        for image in (root / split).rglob("*.jpg"):
            image.write_bytes(image.read_bytes() + b"film" * 9999)
    assert len(training_set(config_of(root))) == 3
    assert len(training_set(config_of(root, unreadable="skip"))) == 3
    assert len(validation_set(config_of(root))) == 2


@pytest.mark.parametrize("keep", [0, 40, 400])
def test_the_end_of_a_thumbnail_does_not_make_an_image_whole(root, keep):
    path = training_set(config_of(root)).path(1)
    whole = jpeg(segment(0xE1, b"Exif\0\0" + jpeg()))
    path.write_bytes(whole[: -len(jpeg()) + 2 + keep])
    with pytest.raises(InputError, match=rf"{path} is cut short"):
        training_set(config_of(root))
    assert len(training_set(config_of(root, unreadable="skip"))) == 2


def test_a_file_of_a_thousand_scans_or_of_text_is_named(root):
    path = training_set(config_of(root)).path(1)
    for content, reason in ((with_scans(1000), "100 scans"), (b"text", "not a JPEG")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{path} .*{reason}"):
            training_set(config_of(root))


def test_images_without_faces_are_trained_on_only_where_the_loss_learns_from_them(root):
    for split in ("train", "val"):
        label_file = root / split / "label.txt"
        first_image = label_file.read_text().splitlines()[0]
        label_file.write_text(f"{first_image}\n{label_file.read_text()}")
    assert len(training_set(config_of(root))) == 3
    assert len(training_set(config_of(root, min_negatives=10))) == 4
    assert len(validation_set(config_of(root))) == 3
