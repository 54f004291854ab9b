"""Folds batch norms into convolutions, for a network that only detects."""

import keras
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.model.layers import BatchNormalization


def fold_batch_norm(network: keras.Model) -> keras.Model:
    """Returns a copy of a network whose batch norms are folded into the convolutions before them.

    Its outputs equal `network(images, training=False)` up to rounding, with fewer operations:
    TensorFlow fuses a depthwise convolution with a bias, but not with batch norm. A network in
    bfloat16 is returned as it is, since folded weights would be rounded again.
    """
    norms = {
        layer.input._keras_history.operation.name: layer
        for layer in network.layers
        if isinstance(layer, BatchNormalization)
    }
    if not norms or any(norm.compute_dtype == "bfloat16" for norm in norms.values()):
        return network

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, BatchNormalization):
            return keras.layers.Identity(name=layer.name, dtype=layer.dtype_policy)
        bias = {"use_bias": True} if layer.name in norms else {}
        return type(layer).from_config(layer.get_config() | bias)

    folded = keras.models.clone_model(network, clone_function=copy)
    for layer in network.layers:
        if layer.name in norms:
            folded.get_layer(layer.name).set_weights(_fold(layer, norms[layer.name]))
        elif layer.weights and not isinstance(layer, BatchNormalization):
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    return folded


def _fold(convolution: keras.layers.Layer, norm: BatchNormalization) -> list[NDArray[np.float64]]:
    """Returns the kernel and the bias of a convolution with its batch norm folded in."""
    [kernel] = (np.float64(weights) for weights in convolution.get_weights())
    gamma, beta, mean, variance = (
        np.float64(keras.ops.convert_to_numpy(variable))
        for variable in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    # Channels are the last axis of a kernel; in a depthwise kernel, an axis of length 1 follows.
    is_depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    return [kernel * (scale[:, None] if is_depthwise else scale), beta - mean * scale]
