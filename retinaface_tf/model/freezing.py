"""Makes constants of a small network's weights, for a network that only detects."""

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# TensorFlow loads a copy of the constants for each function that calls the network: a SavedModel
# of ResNet-50 took 7.9 GB in this way, and 1.7 GB with variables.
MOST_WEIGHTS = 1_000_000

_IMAGES = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")


class FrozenNetwork(tf.Module):
    """Calls a network whose weights are constants of its graph."""

    variables = ()  # as a network has them

    def __init__(self, network: keras.Model):
        super().__init__(name="frozen_network")
        call = tf.function(lambda images: network(images, training=False), autograph=False)
        traced = call.get_concrete_function(_IMAGES)
        self.graph = convert_variables_to_constants_v2(traced)
        self.names = sorted(traced.structured_outputs)  # the order in which TensorFlow flattens

    def __call__(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the predictions for images uint8 [B, H, W, 3]; `training` has to be False."""
        return dict(zip(self.names, self.graph(tf.convert_to_tensor(images)), strict=True))


def freeze(network: keras.Model) -> keras.Model | FrozenNetwork:
    """Returns a network with constants for weights, or the network itself if it is large.

    MobileNetV1 x0.25 is 6 % faster with constants, and exported in a third of the time.
    """
    return FrozenNetwork(network) if network.count_params() <= MOST_WEIGHTS else network
