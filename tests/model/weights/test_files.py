"""Files of weights into networks and back."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from retinaface_tf.config import ModelConfig
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.model.weights.files import load_weights, save_weights

MOBILENET = ModelConfig(backbone="mobilenet025")


@pytest.fixture(scope="module")
def mobilenet(config):
    return build_network(replace(config, model=MOBILENET))


@pytest.mark.parametrize("build", [build_network, lambda config: build_backbone(config.model)])
def test_saved_weights_load_into_a_network_and_into_its_backbone(
    build, config, mobilenet, with_made_up_weights, tmp_path
):
    save_weights(with_made_up_weights(mobilenet), tmp_path / "ours.weights.h5")
    other = build(replace(config, model=MOBILENET))
    load_weights(other, tmp_path / "ours.weights.h5")
    saved = {variable.path: variable.numpy() for variable in mobilenet.variables}
    for loaded in other.variables:
        np.testing.assert_array_equal(loaded.numpy(), saved[loaded.path])


def test_provenance_goes_into_the_file(mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "a.weights.h5", {"source": "theirs.pth"})
    with h5py.File(tmp_path / "a.weights.h5") as file:
        assert json.loads(file.attrs["provenance"]) == {"source": "theirs.pth"}
    load_weights(mobilenet, tmp_path / "a.weights.h5")


def test_nothing_but_the_file_is_left_in_its_folder(mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "new" / "a.weights.h5")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.weights.h5"]


def test_a_name_that_does_not_end_as_keras_wants_is_refused(mobilenet, tmp_path):
    with pytest.raises(InputError, match=r"a\.h5: expected a name that ends in \.weights\.h5"):
        save_weights(mobilenet, tmp_path / "a.h5")


def test_a_folder_that_is_a_file_cannot_be_written(mobilenet, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"a\.weights\.h5: cannot be written"):
        save_weights(mobilenet, tmp_path / "file" / "a.weights.h5")


def test_a_missing_file_is_said_with_its_name(mobilenet, tmp_path):
    with pytest.raises(InputError, match=r"none\.weights\.h5: no such weights file"):
        load_weights(mobilenet, tmp_path / "none.weights.h5")


def test_a_broken_file_is_refused(mobilenet, tmp_path):
    (tmp_path / "broken.weights.h5").write_bytes(b"not HDF5 at all")
    with pytest.raises(InputError, match=r"broken\.weights\.h5: not the weights"):
        load_weights(mobilenet, tmp_path / "broken.weights.h5")


def test_weights_of_another_network_are_refused(config, mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "small.weights.h5")
    resnet = build_network(replace(config, model=ModelConfig(backbone="resnet18")))
    expected = r"small\.weights\.h5: not the weights of a retinaface_resnet18, but of a retinaface_"
    with pytest.raises(InputError, match=expected):
        load_weights(resnet, tmp_path / "small.weights.h5")


def test_a_backbone_is_no_whole_network(mobilenet, tmp_path):
    save_weights(build_backbone(MOBILENET), tmp_path / "part.weights.h5")
    with pytest.raises(InputError, match="of a retinaface_mobilenet025, but of a mobilenet025"):
        load_weights(mobilenet, tmp_path / "part.weights.h5")


def test_weights_for_other_anchors_are_refused(config, mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "two.weights.h5")
    three = replace(config.anchors, sizes=((16, 24, 32), (64, 96, 128), (256, 384, 512)))
    other = build_network(replace(config, model=MOBILENET, anchors=three))
    with pytest.raises(InputError, match=r"two\.weights\.h5: .* or not with these anchors"):
        load_weights(other, tmp_path / "two.weights.h5")


def test_numbers_that_are_not_finite_are_refused(config, tmp_path):
    broken = build_network(replace(config, model=MOBILENET))
    broken.get_layer("pyramid1_merge_norm").gamma.assign([np.nan] * 64)
    save_weights(broken, tmp_path / "nan.weights.h5")
    with pytest.raises(InputError, match="finite numbers, pyramid1_merge_norm/gamma has others"):
        load_weights(broken, tmp_path / "nan.weights.h5")


def test_published_weights_load_as_they_are(mobilenet, shared):
    load_weights(mobilenet, shared / "data/weights/retinaface_mobilenet025.pth")
    load_weights(
        build_backbone(MOBILENET), shared / "data/weights/mobilenetv1_025_imagenet.pth.tar"
    )
