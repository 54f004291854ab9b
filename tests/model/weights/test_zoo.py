"""The weights that travel with the package."""

import hashlib
import logging

import pytest

from retinaface_tf.api import load_detector
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights import zoo
from retinaface_tf.model.weights.__main__ import main
from retinaface_tf.model.weights.files import load_weights, save_weights
from retinaface_tf.model.weights.state_dict import find_file
from retinaface_tf.samples import FACES


@pytest.fixture(params=zoo.named_weights().values(), ids=zoo.named_weights())
def entry(request) -> zoo.NamedWeights:
    return request.param


def test_the_default_is_in_the_table():
    assert zoo.DEFAULT_WEIGHTS in zoo.named_weights()


def test_a_file_is_small_and_the_one_that_the_table_says(entry):
    content = entry.file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry.sha256
    assert len(content) <= 2_000_000


def test_the_config_beside_the_weights_knows_no_place_of_the_machine_that_trained_them(entry):
    config = load_config(entry.config)
    assert config.model.backbone == entry.backbone
    assert (config.data.root, config.eval.weights) == ("data/widerface", None)
    assert not config.train.workdir.startswith("/")


def test_fine_tuning_trains_the_default_towards_the_targets_that_it_was_trained_towards():
    config = load_config("finetune")
    trained = load_config(zoo.named_weights()[str(config.model.init)].config)
    for section in ("anchors", "match", "loss"):
        assert getattr(config, section) == getattr(trained, section)
    assert config.model.backbone == trained.model.backbone


def test_a_file_that_exists_wins_over_a_name_and_a_folder_does_not(entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / entry.name).mkdir()
    assert find_file(entry.name) == entry.file
    (tmp_path / entry.name).rmdir()
    (tmp_path / entry.name).touch()
    assert str(find_file(entry.name)) == entry.name


def test_the_licence_is_said_once_and_of_these_weights_alone(entry, tmp_path, caplog):
    zoo.log_licence.cache_clear()
    network = build_network(load_config(entry.config))
    load_weights(network, entry.name)
    load_weights(network, entry.name)
    save_weights(network, tmp_path / "mine.weights.h5")
    load_weights(network, tmp_path / "mine.weights.h5")
    (said,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert entry.name in said.getMessage()
    assert entry.licence in said.getMessage()


def test_the_list_has_each_name_with_file_checksum_ap_and_licence(entry, capsys):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    for shown in (entry.name, str(entry.file), entry.sha256, entry.licence, *entry.ap):
        assert shown in listed


@pytest.mark.parametrize("arguments", [[], ["import", "a.pth"], ["a.pth"], ["list", "a", "b"]])
def test_other_words_are_refused(arguments):
    with pytest.raises(InputError, match=r"import.*SRC and DST"):
        main(arguments)


def test_by_default_one_face_is_found_in_each_photograph_where_it_is():
    detector = load_detector()
    for file, (left, top, right, bottom) in FACES.items():
        ((x1, y1, x2, y2),) = detector.detect(file).boxes
        centre = (x1 + x2) / 2, (y1 + y2) / 2
        assert left < centre[0] < right
        assert top < centre[1] < bottom
        assert 0.5 < (y2 - y1) / (bottom - top) < 2
