"""The network: its size, its shapes, the originals' numbers."""

import re
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import ModelConfig
from retinaface_tf.errors import InputError
from retinaface_tf.model.backbones import BACKBONES
from retinaface_tf.model.network import UpsampleTo, build_backbone, build_network


@pytest.fixture(scope="module")
def fresh(config):
    """Returns a network with random weights."""
    keras.utils.set_random_seed(1)
    return build_network(replace(config, model=ModelConfig(backbone="mobilenet025")))


def pixels_of(original):
    """Turns the originals' input, BGR NCHW less its mean, into RGB NHWC pixels."""
    bgr = original["x"].transpose(0, 2, 3, 1) + np.array([104, 117, 123], np.float32)
    return bgr[..., ::-1]


def largest_deviation(ours, originals):
    """Returns largest absolute difference, in parts of the originals' range."""
    ours = ours.numpy()
    assert ours.shape == originals.shape
    return np.abs(ours - originals).max() / np.ptp(originals)


def random_images(height: int, width: int, count: int = 1):
    return np.random.default_rng(5).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("backbone", "parameters"),
    [
        ("resnet18", 12_015_648),
        ("resnet34", 22_123_808),
        ("resnet50", 27_293_600),
        ("mobilenet025", 426_608),
        ("mobilenetv2", 3_128_544),
    ],
)
def test_the_network_has_the_originals_number_of_parameters(made_up_network, backbone, parameters):
    trainable = made_up_network(backbone).trainable_variables
    assert sum(np.prod(variable.shape) for variable in trainable) == parameters


@pytest.mark.parametrize(
    "case",
    [
        "resnet18_64x96",
        "resnet50_64x96",
        "mobilenet025_64x96",
        "mobilenet025_75x101",
        "mobilenetv2_75x101",
    ],
)
def test_outputs_are_the_originals(made_up_network, case, vectors):
    original = vectors(f"net_{case}")
    outputs = made_up_network(case.split("_")[0])(pixels_of(original), training=False)
    for name in ("boxes", "logits", "landmarks"):
        assert largest_deviation(outputs[name], original[name]) < 1e-5, name


def test_taps_of_the_backbone_are_the_originals(vectors, with_made_up_weights):
    original = vectors("net_mobilenet025_64x96")
    backbone = with_made_up_weights(build_backbone(ModelConfig(backbone="mobilenet025")))
    taps = backbone(pixels_of(original), training=False)
    for ours, name in zip(taps, ("c3", "c4", "c5"), strict=True):
        assert largest_deviation(ours, original[name].transpose(0, 2, 3, 1)) < 1e-5, name


@pytest.mark.parametrize("size", [(32, 32), (33, 64), (75, 101), (63, 47), (1, 1)])
def test_every_anchor_of_any_image_has_its_outputs(made_up_network, size, config):
    images = random_images(size[0], size[1], count=2)
    outputs = made_up_network("mobilenet025")(images, training=False)
    anchors = config.anchors.count(*size)
    assert outputs["boxes"].shape == (2, anchors, 4)
    assert outputs["logits"].shape == (2, anchors, 2)
    assert outputs["landmarks"].shape == (2, anchors, 5, 2)


def test_images_may_be_integers_or_floats(made_up_network):
    images = random_images(32, 48)
    of_integers = made_up_network("mobilenet025")(images, training=False)
    of_floats = made_up_network("mobilenet025")(images.astype(np.float32), training=False)
    for name, rows in of_integers.items():
        np.testing.assert_array_equal(rows, of_floats[name])


@pytest.mark.parametrize(
    ("precision", "computed", "given"),
    [("bfloat16", "bfloat16", "float32"), ("float64", "float64", "float64")],
)
def test_outputs_are_never_below_float32(config, precision, computed, given):
    model = ModelConfig(backbone="mobilenet025", precision=precision)
    network = build_network(replace(config, model=model))
    outputs = network(random_images(32, 32), training=False)
    assert {rows.dtype.name for rows in outputs.values()} == {given}
    assert network.get_layer("pyramid1_merge_conv").compute_dtype == computed


def test_the_precision_of_one_network_is_not_that_of_the_next(config):
    before = keras.config.dtype_policy()
    build_network(replace(config, model=ModelConfig(backbone="mobilenet025", precision="bfloat16")))
    assert keras.config.dtype_policy() == before


@pytest.fixture
def other_keras_settings():
    """Returns settings of a user's program, or of its ~/.keras/keras.json."""
    before = keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    keras.config.set_dtype_policy("mixed_float16")
    yield
    for setting, value in zip(("image_data_format", "floatx", "dtype_policy"), before, strict=True):
        getattr(keras.config, f"set_{setting}")(value)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_no_layer_follows_global_settings_of_keras(
    config, made_up_network, backbone, other_keras_settings
):
    network = build_network(replace(config, model=ModelConfig(backbone=backbone)))
    assert without_seeds(network) == without_seeds(made_up_network(backbone))


def without_seeds(network):
    """Returns the settings of all layers without the seeds that initializers draw when made."""
    return re.sub(r'"seed": \d+', "", network.to_json())


def test_the_answer_does_not_depend_on_global_settings_of_keras(
    config, vectors, with_made_up_weights, other_keras_settings
):
    original = vectors("net_mobilenet025_75x101")
    model = ModelConfig(backbone="mobilenet025")
    network = with_made_up_weights(build_network(replace(config, model=model)))
    outputs = network(pixels_of(original), training=False)
    for name in ("boxes", "logits", "landmarks"):
        assert largest_deviation(outputs[name], original[name]) < 1e-5, name


def test_bfloat16_says_about_the_same_as_float32(config, made_up_network, with_made_up_weights):
    model = ModelConfig(backbone="mobilenet025", precision="bfloat16")
    coarse = with_made_up_weights(build_network(replace(config, model=model)))
    images = random_images(64, 96)
    fine = made_up_network("mobilenet025")(images, training=False)
    for name, rows in coarse(images, training=False).items():
        assert largest_deviation(rows, fine[name].numpy()) < 0.05, name


def test_the_seed_decides_the_weights_to_start_from():
    def stem(seed):
        keras.utils.set_random_seed(seed)
        backbone = build_backbone(ModelConfig(backbone="mobilenet025"))
        return backbone.get_layer("stem_conv").kernel.numpy()

    first = stem(seed=1)
    assert (stem(seed=2) != first).all()
    np.testing.assert_array_equal(stem(seed=1), first)


def test_no_two_kernels_start_with_the_same_weights(fresh):
    kernels = [v.numpy() for v in fresh.variables if v.path.endswith(("kernel", "bias"))]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize(
    ("layer", "spread"),
    [
        ("stem_conv", np.sqrt(2 / (8 * 9))),  # backbone: normal over the fan-out
        ("stage3_block2_pointwise_conv", np.sqrt(2 / 256)),
        ("stage3_block2_depthwise_conv", np.sqrt(2 / (256 * 9))),
        ("pyramid1_merge_conv", 1 / np.sqrt(3 * 64 * 9)),  # the rest: uniform over the fan-in
        ("landmarks1_conv", 1 / np.sqrt(3 * 64)),
    ],
)
def test_random_kernels_spread_as_the_originals(fresh, layer, spread):
    kernel = fresh.get_layer(layer).kernel.numpy()
    assert kernel.std() == pytest.approx(spread, rel=0.15)
    assert abs(kernel.mean()) < 0.15 * spread


def test_upsampling_repeats_each_cell():
    coarse = np.array([[1, 2], [3, 4]], np.float32)[None, ..., None]
    doubled = UpsampleTo()(tf.constant(coarse), tf.zeros([1, 4, 4, 1]))
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(doubled[0, ..., 0], expected)


@pytest.mark.parametrize("fine", range(1, 141))
def test_upsampling_takes_the_cells_that_the_originals_take(fine):
    """They index floor(i * in / out); a level is half of the finer one, rounded up."""
    coarse = -(-fine // 2)
    cells = tf.range(coarse, dtype=tf.float32)[None, :, None, None]
    rows = UpsampleTo()(cells, tf.zeros([1, fine, 1, 1]))[0, :, 0, 0]
    np.testing.assert_array_equal(rows, np.arange(fine) * coarse // fine)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_frozen_stages_give_no_trainable_variables(config, backbone):
    model = ModelConfig(backbone=backbone, freeze=("stem", "stage1"))
    network = build_network(replace(config, model=model))
    trainable = {variable.path.split("_")[0] for variable in network.trainable_variables}
    assert not trainable & {"stem", "stage1"}
    assert {"stage2", "stage3", "pyramid1"} <= trainable


def test_frozen_statistics_do_not_move_in_training(config):
    model = ModelConfig(backbone="mobilenet025", freeze=("stem",))
    network = build_network(replace(config, model=model))
    before = {v.path: v.numpy() for v in network.variables if "moving" in v.path}
    network(random_images(64, 64, count=2), training=True)
    moved = {
        v.path
        for v in network.variables
        if "moving" in v.path and (v != before[v.path]).numpy().any()
    }
    assert moved
    assert not any(path.startswith("stem") for path in moved)


def test_frozen_norms_keep_all_statistics_and_leave_the_kernels_to_learn(config):
    model = ModelConfig(backbone="mobilenet025", freeze=("norms",))
    network = build_network(replace(config, model=model))
    before = [v.numpy() for v in network.variables]
    network(random_images(64, 64, count=2), training=True)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    assert {v.path.split("/")[1] for v in network.trainable_variables} == {"kernel", "bias"}


def test_a_stage_that_a_backbone_lacks_cannot_be_frozen(config):
    model = ModelConfig(backbone="mobilenet025", freeze=("stage4",))
    with pytest.raises(InputError, match=r"model\.freeze: mobilenet025 has no stage4"):
        build_network(replace(config, model=model))
