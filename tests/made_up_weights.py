"""The originals' test weights, made from nothing but each tensor's name and shape."""

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

from retinaface_tf.config import Config, ModelConfig
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.assignment import assign
from retinaface_tf.model.weights.imported import ImportedTensors
from retinaface_tf.model.weights.names import torch_names

STEM_VARIANCES = (
    "body.bn1.running_var",
    "body.stage1.0.1.running_var",
    "body.features.0.1.running_var",
)


class MadeUpState(dict[str, np.ndarray]):
    """A state dict in biubug6's layout for the variables of a network.

    The rules and the order of draws are those of the script that made the originals' numbers;
    RandomState, since only the streams of that legacy generator are frozen.
    """

    def __init__(self, network: keras.Model):
        names = torch_names(network)
        for variable in network.variables:
            name = names[variable.path]
            self[name] = made_up(name, torch_shape(variable))


def torch_shape(variable: keras.Variable) -> tuple[int, ...]:
    """Turns height, width, in, out into out, in, height, width; of a depthwise kernel, in and 1."""
    if len(variable.shape) != 4:
        return tuple(variable.shape)
    height, width, channels, filters = variable.shape
    if variable.path.endswith("depthwise_conv/kernel"):
        channels, filters = filters, channels
    return filters, channels, height, width


def made_up(name: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if len(shape) == 4:
        values = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    elif name.endswith("conv1x1.bias"):
        values = random.uniform(-0.1, 0.1, shape)
    elif name.endswith(("running_mean", "bias")):
        values = 0.1 * random.standard_normal(shape)
    else:
        values = random.uniform(0.5, 1.5, shape)
    if name.endswith("bn3.weight"):
        values *= 0.2
    if name in STEM_VARIANCES:
        values *= 12_000  # the stem sees pixels, up to 255
    return values.astype(np.float32)


@pytest.fixture(scope="session")
def made_up_state() -> Callable[[keras.Model], MadeUpState]:
    return MadeUpState


@pytest.fixture(scope="session")
def with_made_up_weights() -> Callable[[keras.Model], keras.Model]:
    """Gives a network the weights that the originals' numbers were computed with."""

    def fill(network: keras.Model) -> keras.Model:
        state = MadeUpState(network)
        imported = ImportedTensors(
            Path("made up"), "made up", is_detector=True, tensors=state, left_out=()
        )
        assign(network, imported)
        return network

    return fill


@pytest.fixture(scope="session")
def made_up_network(
    with_made_up_weights: Callable[[keras.Model], keras.Model],
) -> Callable[[str], keras.Model]:
    """Builds the network on a backbone with made-up weights, once: tests are not to change it."""

    @cache
    def build(backbone: str) -> keras.Model:
        return with_made_up_weights(build_network(Config(model=ModelConfig(backbone=backbone))))

    return build
