"""Weights: files of ours, and the names that PyTorch's RetinaFace has for the same tensors."""

from dataclasses import replace

import numpy as np
import pytest

from retinaface_tf.config import ModelConfig
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.model.weights import from_torch, load_weights, torch_name


@pytest.fixture(scope="module")
def resnet(config):
    return build_network(config)


@pytest.fixture(scope="module")
def mobilenet(config):
    return build_network(replace(config, model=ModelConfig(backbone="mobilenet025")))


@pytest.mark.parametrize("backbone", ["resnet", "mobilenet"])
def test_every_variable_has_a_name_of_its_own_in_pytorch(backbone, request):
    network = request.getfixturevalue(backbone)
    names = {torch_name(variable.path, network) for variable in network.variables}
    assert len(names) == len(network.variables)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("stem_conv/kernel", "body.conv1.weight"),
        ("stem_norm/moving_variance", "body.bn1.running_var"),
        ("stage1_block1_project_conv/kernel", "body.layer1.0.downsample.0.weight"),
        ("stage3_block6_expand_norm/gamma", "body.layer3.5.bn3.weight"),
        ("pyramid3_lateral_norm/beta", "fpn.output3.1.bias"),
        ("pyramid1_merge_conv/kernel", "fpn.merge1.0.weight"),
        ("context2_shared_conv/kernel", "ssh2.conv5X5_1.0.weight"),
        ("context2_7x7_norm/moving_mean", "ssh2.conv7x7_3.1.running_mean"),
        ("logits1_conv/bias", "ClassHead.0.conv1x1.bias"),
        ("landmarks3_conv/kernel", "LandmarkHead.2.conv1x1.weight"),
    ],
)
def test_names_are_those_of_the_published_resnet50(resnet, path, name):
    assert path in {variable.path for variable in resnet.variables}
    assert torch_name(path, resnet) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("stem_conv/kernel", "body.stage1.0.0.weight"),
        ("stem_norm/gamma", "body.stage1.0.1.weight"),
        ("stage1_block5_pointwise_conv/kernel", "body.stage1.5.3.weight"),
        ("stage2_block1_depthwise_conv/kernel", "body.stage2.0.0.weight"),
        ("stage3_block2_pointwise_norm/moving_mean", "body.stage3.1.4.running_mean"),
    ],
)
def test_names_are_those_of_the_published_mobilenet(mobilenet, path, name):
    assert path in {variable.path for variable in mobilenet.variables}
    assert torch_name(path, mobilenet) == name


def test_the_first_kernel_is_turned_from_bgr_to_rgb(mobilenet, made_up_state):
    state = made_up_state(mobilenet)
    from_torch(mobilenet, state)
    of_red = mobilenet.get_layer("stem_conv").kernel.numpy()[:, :, 0]
    np.testing.assert_array_equal(of_red, state["body.stage1.0.0.weight"][:, 2].transpose(1, 2, 0))


def test_a_tensor_that_a_state_dict_lacks_is_named(mobilenet, made_up_state):
    state = made_up_state(mobilenet)
    del state["fpn.merge2.1.running_var"]
    with pytest.raises(KeyError, match=r"fpn\.merge2\.1\.running_var"):
        from_torch(mobilenet, state)


@pytest.mark.parametrize("build", [build_network, lambda config: build_backbone(config.model)])
def test_saved_weights_load_into_a_network_and_into_its_backbone(
    build, config, mobilenet, with_made_up_weights, tmp_path
):
    with_made_up_weights(mobilenet).save_weights(tmp_path / "ours.weights.h5")
    other = build(replace(config, model=ModelConfig(backbone="mobilenet025")))
    load_weights(other, tmp_path / "ours.weights.h5")
    saved = {variable.path: variable.numpy() for variable in mobilenet.variables}
    for loaded in other.variables:
        np.testing.assert_array_equal(loaded.numpy(), saved[loaded.path])


def test_a_missing_file_is_said_with_its_name(mobilenet, tmp_path):
    with pytest.raises(InputError, match=r"none\.weights\.h5: no such weights file"):
        load_weights(mobilenet, tmp_path / "none.weights.h5")


def test_a_file_of_another_kind_is_refused_by_its_name(mobilenet, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(InputError, match=r"ends in \.weights\.h5"):
        load_weights(mobilenet, tmp_path / "weights.pth")


def test_a_broken_file_is_refused(mobilenet, tmp_path):
    (tmp_path / "broken.weights.h5").write_bytes(b"not HDF5 at all")
    with pytest.raises(InputError, match=r"broken\.weights\.h5: not weights"):
        load_weights(mobilenet, tmp_path / "broken.weights.h5")


def test_weights_of_another_network_are_refused(mobilenet, resnet, tmp_path):
    mobilenet.save_weights(tmp_path / "small.weights.h5")
    with pytest.raises(InputError, match=r"small\.weights\.h5: not weights of a retinaface"):
        load_weights(resnet, tmp_path / "small.weights.h5")
