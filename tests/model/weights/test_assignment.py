"""Imported tensors in our networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from retinaface_tf.config import ModelConfig
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.model.weights.assignment import assign, check_complete
from retinaface_tf.model.weights.imported import ImportedTensors, read_imported
from retinaface_tf.model.weights.names import torch_names

MOBILENET = ModelConfig(backbone="mobilenet025")
MEAN, DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


@pytest.fixture(scope="module")
def mobilenet(config):
    return build_network(replace(config, model=MOBILENET))


@pytest.fixture
def state(mobilenet, made_up_state):
    return made_up_state(mobilenet)


def detector(state):
    return ImportedTensors(
        Path("theirs.pth"), "PyTorch", is_detector=True, tensors=state, left_out=()
    )


def saved(path, tensors):
    safetensors.numpy.save_file(
        {name: np.ascontiguousarray(values) for name, values in tensors.items()}, path
    )
    return path


def test_all_tensors_of_a_published_layout_are_taken(mobilenet, state):
    found = assign(mobilenet, detector(state))
    assert found.is_complete
    assert sorted(found.matched) == sorted(state)
    names = torch_names(mobilenet)
    for variable in mobilenet.variables:
        assert np.isclose(variable.numpy().sum(), state[names[variable.path]].sum(), atol=1e-3)


def test_a_detectors_first_kernel_is_turned_from_bgr_to_rgb(mobilenet, state):
    assign(mobilenet, detector(state))
    of_red = mobilenet.get_layer("stem_conv").kernel.numpy()[:, :, 0]
    np.testing.assert_array_equal(of_red, state["body.stage1.0.0.weight"][:, 2].transpose(1, 2, 0))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet025", "mobilenetv2"])
def test_a_backbone_of_imagenet_says_of_raw_pixels_what_it_said_of_normalised_ones(
    name, made_up_state, tmp_path
):
    raw, normalised = (build_backbone(ModelConfig(backbone=name)) for _ in range(2))
    state = made_up_state(raw)
    # Statistics as of input around 1, not 255.
    stem = torch_names(raw)["stem_norm/moving_variance"]
    state[stem] = (state[stem] / 12_000).astype(np.float32)
    file = saved(
        tmp_path / "imagenet.safetensors",
        {name.removeprefix("body."): values for name, values in state.items()},
    )
    assert assign(raw, read_imported(file)).is_complete
    # The second one takes the tensors as they are, and pixels as ImageNet's recipe has them; less
    # than the mean, since the network subtracts its own. No border: zeros mean another grey there.
    reference = detector(state)
    assign(normalised, reference)
    kernel = normalised.get_layer("stem_conv").kernel
    kernel.assign(kernel.numpy()[:, :, ::-1])
    pixels = np.random.default_rng(3).integers(0, 256, (1, 256, 256, 3)).astype(np.float32)
    as_trained = (pixels - MEAN) / DEVIATION + np.array([123.0, 117.0, 104.0])
    taps = zip(raw(pixels), normalised(as_trained.astype(np.float32)), strict=True)
    fine, theirs = next(taps)
    middle = slice(12, -12)
    difference = np.abs((fine - theirs).numpy()[:, middle, middle])
    assert difference.max() < 1e-4 * np.ptp(theirs.numpy())


def test_a_backbone_takes_its_part_of_a_detector(state):
    backbone = build_backbone(MOBILENET)
    found = assign(backbone, detector(state))
    assert found.is_complete
    assert "fpn.merge1.0.weight" in found.left_out


def test_names_with_the_prefix_of_several_gpus_are_read(mobilenet, state, tmp_path):
    parallel = {f"module.{name}": values for name, values in state.items()}
    imported = read_imported(saved(tmp_path / "parallel.safetensors", parallel))
    assert imported.is_detector
    assert assign(mobilenet, imported).is_complete


def test_the_report_names_every_tensor_that_does_not_fit(mobilenet, state):
    del state["fpn.merge2.1.running_var"]
    state["fpn.output1.0.weight"] = np.zeros((64, 32, 1, 1), np.float32)
    state["head.weight"] = np.zeros(3, np.float32)
    found = assign(mobilenet, replace(detector(state), left_out=("fc.weight",)))
    assert found.report() == (
        "matched: 251\n"
        "missing: 1\n"
        "  fpn.merge2.1.running_var\n"
        "unexpected: 1\n"
        "  head.weight\n"
        "misshaped: 1\n"
        "  fpn.output1.0.weight has the shape (64, 32, 1, 1), expected (64, 64, 1, 1)\n"
        "left out: 1\n"
        "  fc.weight"
    )


def test_what_does_not_fit_leaves_the_networks_own_values(mobilenet, state):
    assign(mobilenet, detector(state))
    before = mobilenet.get_layer("pyramid2_merge_norm").moving_variance.numpy()
    del state["fpn.merge2.1.running_var"]
    assign(mobilenet, detector(state))
    after = mobilenet.get_layer("pyramid2_merge_norm").moving_variance.numpy()
    np.testing.assert_array_equal(after, before)


def test_the_weights_of_another_backbone_are_called_that(config, state):
    resnet = build_network(replace(config, model=ModelConfig(backbone="resnet18")))
    imported = detector(state)
    expected = "theirs.pth: expected the weights of a retinaface_resnet18, found a detector"
    with pytest.raises(InputError, match=expected) as error:
        check_complete(assign(resnet, imported), imported, resnet)
    assert "\n" not in str(error.value)


def test_heads_for_another_number_of_anchors_are_told_by_both_shapes(mobilenet, state):
    for name in [name for name in state if "Head" in name]:
        state[name] = np.repeat(state[name], 2, axis=0)[: len(state[name]) // 2 * 3]
    imported = detector(state)
    expected = r"Head\.\d\.conv1x1\.\w+ has the shape \(\d+, 64, 1, 1\), expected \("
    with pytest.raises(InputError, match=expected):
        check_complete(assign(mobilenet, imported), imported, mobilenet)


def test_numbers_that_are_not_finite_are_refused(state, tmp_path):
    state["fpn.merge1.1.bias"][3] = np.nan
    with pytest.raises(InputError, match=r"nan\.safetensors.*fpn\.merge1\.1\.bias has others"):
        read_imported(saved(tmp_path / "nan.safetensors", state))


def test_one_tensor_in_two_spellings_is_refused(state, tmp_path):
    state["module.fpn.merge1.1.bias"] = state["fpn.merge1.1.bias"]
    with pytest.raises(InputError, match=r"fpn\.merge1\.1\.bias once, found it in two spellings"):
        read_imported(saved(tmp_path / "twice.safetensors", state))
