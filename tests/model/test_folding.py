"""Batch norm folded into convolutions."""

from dataclasses import replace

import keras
import numpy as np

from retinaface_tf.config import Config, ModelConfig
from retinaface_tf.model.folding import fold_batch_norm
from retinaface_tf.model.layers import BATCH_NORM_EPSILON, BatchNormalization, conv, depthwise_conv
from retinaface_tf.model.layers import relu as act
from retinaface_tf.model.network import build_network


def two_layers() -> keras.Model:
    """Returns layers that turn a pixel (10, 20) into 3 (20 - 4) / 2 + 1 = 25 and 20.

    The second layer turns these into 25 + 2 * 20 - 5 = 60.
    """
    images = keras.Input((None, None, 2))
    x = depthwise_conv(images, name="first", stride=1, act=act)
    network = keras.Model(images, conv(x, 1, 1, name="second", act=None))
    kernel = np.zeros((3, 3, 2, 1))
    kernel[1, 1, :, 0] = [2, 1]
    network.get_layer("first_conv").set_weights([kernel])
    network.get_layer("second_conv").set_weights([np.array([[[[1], [2]]]])])
    # Gamma, beta, mean and variance of each channel.
    first = np.array([[3, 1], [1, 0], [4, 0], [4, 1]]) - [[0], [0], [0], [BATCH_NORM_EPSILON]]
    second = np.array([[1], [0], [5], [1 - BATCH_NORM_EPSILON]])
    network.get_layer("first_norm").set_weights(list(first))
    network.get_layer("second_norm").set_weights(list(second))
    return network


def test_a_convolution_takes_over_scale_and_offset_of_its_batch_norm():
    folded = fold_batch_norm(two_layers())
    assert not any(isinstance(layer, BatchNormalization) for layer in folded.layers)
    kernel, bias = folded.get_layer("first_conv").get_weights()
    np.testing.assert_allclose(kernel[1, 1, :, 0], [3, 1], rtol=1e-6)
    np.testing.assert_allclose(bias, [-5, 0], rtol=1e-6)
    pixel = np.float32([10, 20]).reshape(1, 1, 1, 2)
    np.testing.assert_allclose(folded(pixel), [[[[60]]]], rtol=1e-6)


def test_a_whole_network_answers_as_before_and_stays_as_it_is():
    network = build_network(Config(model=ModelConfig(backbone="mobilenet025")))
    random = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    before = [weights.copy() for weights in network.get_weights()]
    image = random.integers(0, 256, (1, 45, 70, 3)).astype(np.float32)
    folded = fold_batch_norm(network)
    for name, rows in network(image, training=False).items():
        answer = folded(image, training=False)[name]
        np.testing.assert_allclose(answer, rows, rtol=1e-3, atol=1e-4 * np.abs(rows).max())
    for weights, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, old)


def test_a_network_in_bfloat16_is_left_alone():
    config = Config()
    bfloat16 = replace(config.model, backbone="mobilenet025", precision="bfloat16")
    network = build_network(replace(config, model=bfloat16))
    assert fold_batch_norm(network) is network
