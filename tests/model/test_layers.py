"""Batch norm by the fused kernel: Keras' own arithmetic is what it has to equal."""

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.model.layers import BatchNormalization


@pytest.fixture
def pair():
    """Returns the same batch norm of three channels by Keras and by us."""

    def make(channels: int = 3, **options) -> tuple[keras.Layer, keras.Layer]:
        random = np.random.default_rng(3)
        weights = [random.uniform(0.5, 2, channels) for _ in range(4)]
        layers = []
        for kind in (keras.layers.BatchNormalization, BatchNormalization):
            layer = kind(momentum=0.9, epsilon=1e-5, **options)
            layer.build((None, None, None, channels))
            layer.set_weights(weights)
            layers.append(layer)
        return tuple(layers)

    return make


def maps(dtype: str = "float32", channels: int = 3) -> tf.Tensor:
    """Returns maps far from 0, as the first layer's are, and of another spread in each channel."""
    random = np.random.default_rng(4)
    mean, spread = np.resize([5, -90, 300], channels), np.resize([1, 40, 200], channels)
    return tf.constant(random.normal(mean, spread, (2, 6, 5, channels)), dtype)


def test_in_training_outputs_gradients_and_statistics_are_those_of_keras(pair):
    answers = []
    for layer in pair():
        inputs = maps()
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(outputs**3)
        sources = [inputs, layer.gamma.value, layer.beta.value]
        answers.append([outputs, *tape.gradient(loss, sources), *layer.weights])
    for theirs, ours in zip(*answers, strict=True):
        theirs, ours = (keras.ops.convert_to_numpy(value) for value in (theirs, ours))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [False, None])
def test_in_use_it_is_that_of_keras_and_learns_nothing(pair, training):
    theirs, ours = pair()
    before = ours.get_weights()
    np.testing.assert_allclose(
        ours(maps(), training=training), theirs(maps(), training=training), rtol=1e-5, atol=1e-4
    )
    for now, then in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_frozen_one_in_training_is_as_in_use(pair):
    _, ours = pair()
    ours.trainable = False
    np.testing.assert_array_equal(ours(maps(), training=True), ours(maps(), training=False))
    np.testing.assert_array_equal(ours.moving_mean.numpy(), pair()[1].moving_mean.numpy())


@pytest.mark.parametrize("channels", [3, 64])  # the kernel itself takes the many
def test_in_bfloat16_statistics_stay_in_float32(pair, channels):
    theirs, ours = pair(channels, dtype="mixed_bfloat16")
    outputs = [layer(maps("bfloat16", channels), training=True) for layer in (theirs, ours)]
    assert outputs[1].dtype == tf.bfloat16
    np.testing.assert_allclose(*(tf.cast(x, tf.float32) for x in outputs), rtol=0.02, atol=0.02)
    for value, expected in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(value.numpy(), expected.numpy(), rtol=1e-4)


def test_float64_keeps_its_digits(pair):
    theirs, ours = pair(dtype="float64")
    np.testing.assert_array_equal(
        ours(maps("float64"), training=True), theirs(maps("float64"), training=True)
    )


def test_weights_files_name_it_as_they_name_that_of_keras(tmp_path):
    images = keras.Input((None, None, 3))
    network = keras.Model(images, BatchNormalization(name="any")(images))
    network.save_weights(tmp_path / "some.weights.h5")
    with h5py.File(tmp_path / "some.weights.h5") as file:
        assert "batch_normalization" in file["layers"]
