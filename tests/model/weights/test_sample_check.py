"""Networks that find faces on two photographs, or do not."""

from dataclasses import replace

import pytest
import safetensors.numpy

from retinaface_tf.config_file import load_config
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import load_weights
from retinaface_tf.model.weights.importer import import_weights
from retinaface_tf.model.weights.sample_check import warn_unless_faces_are_found
from retinaface_tf.runtimes.opening import open_detector


@pytest.fixture(scope="module")
def config():
    return load_config("configs/mobilenet025.yaml")


@pytest.fixture(scope="module")
def published(shared):
    return shared / "data/weights/retinaface_mobilenet025.pth"


def test_weights_that_find_faces_give_no_warning_but_with_other_anchors_one(
    published, config, caplog
):
    network = build_network(config)
    load_weights(network, published)
    warn_unless_faces_are_found(network, config, "theirs.pth")
    assert not caplog.messages
    anchors = replace(config.anchors, sizes=((10, 20), (32, 64), (128, 256)))
    warn_unless_faces_are_found(network, replace(config, anchors=anchors), "theirs.pth")
    (message,) = caplog.messages
    assert "theirs.pth" in message
    assert "mobilenet025" in message


def test_weights_that_find_nothing_give_a_warning_wherever_they_are_taken(
    made_up_network, made_up_state, config, tmp_path, caplog
):
    theirs = tmp_path / "theirs.safetensors"
    safetensors.numpy.save_file(made_up_state(made_up_network("mobilenet025")), theirs)
    import_weights(theirs, tmp_path / "ours.weights.h5", config)
    assert [str(theirs) in message for message in caplog.messages] == [True]
    open_detector(tmp_path / "ours.weights.h5")  # ours, which the import has warned of
    assert len(caplog.messages) == 1
    open_detector(theirs)
    assert [str(theirs) in message for message in caplog.messages] == [True, True]
