"""Weights: our own files, and the names that PyTorch's RetinaFace gives to the same tensors."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError

SUFFIX = ".weights.h5"

# Our blocks and biubug6's modules: convolution and batch norm are numbered within a module.
_RESNET_MODULES = {
    "reduce_conv": "conv1",
    "reduce_norm": "bn1",
    "spatial_conv": "conv2",
    "spatial_norm": "bn2",
    "expand_conv": "conv3",
    "expand_norm": "bn3",
    "project_conv": "downsample.0",
    "project_norm": "downsample.1",
}
_MOBILENET_MODULES = {
    "depthwise_conv": "0",
    "depthwise_norm": "1",
    "pointwise_conv": "3",
    "pointwise_norm": "4",
}
_CONTEXT_MODULES = {
    "3x3": "conv3X3",
    "shared": "conv5X5_1",
    "5x5": "conv5X5_2",
    "deeper": "conv7X7_2",
    "7x7": "conv7x7_3",
}
_HEAD_MODULES = {"logits": "ClassHead", "boxes": "BboxHead", "landmarks": "LandmarkHead"}
_TENSORS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def load_weights(network: keras.Model, path: str | Path) -> None:
    """Loads a file that `network.save_weights` wrote into the same kind of network.

    Raises:
        InputError: no such file, not a weights file, or one of another network.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such weights file; expected one that ends in {SUFFIX}")
    if not str(path).endswith(SUFFIX):
        raise InputError(f"{path}: expected a Keras weights file, whose name ends in {SUFFIX}")
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that it leaves as they are.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: not weights of a {network.name} like this: {reason}") from None


def from_torch(network: keras.Model, state: Mapping[str, NDArray[np.float32]]) -> None:
    """Assigns a state dict of biubug6's layout, converting layouts and BGR to RGB.

    Raises:
        KeyError: a tensor is missing from `state`.
    """
    for variable in network.variables:
        array = state[torch_name(variable.path, network)]
        if variable.path.endswith("depthwise_conv/kernel"):
            array = array.transpose(2, 3, 0, 1)
        elif variable.path.endswith("/kernel"):
            array = array.transpose(2, 3, 1, 0)
        if variable.path == "stem_conv/kernel":
            array = array[:, :, ::-1]
        variable.assign(array)


def torch_name(path: str, network: keras.Model) -> str:
    """Name in biubug6's state dict of a variable of `network`, such as `stem_conv/kernel`.

    Raises:
        KeyError: the variable has no counterpart there.
    """
    layer, _, variable = path.partition("/")
    return f"{_torch_module(layer, network)}.{_TENSORS[variable]}"


def _torch_module(layer: str, network: keras.Model) -> str:
    block, _, kind = layer.rpartition("_")
    part = {"conv": 0, "norm": 1}[kind]
    if block == "stem":
        resnet = any(other.name == "stem_pool" for other in network.layers)
        return ("body.conv1", "body.bn1")[part] if resnet else f"body.stage1.0.{part}"
    if found := re.fullmatch(r"stage(\d)_block(\d)_(\w+)", layer):
        stage, number, unit = int(found[1]), int(found[2]), found[3]
        if unit in _RESNET_MODULES:
            return f"body.layer{stage}.{number - 1}.{_RESNET_MODULES[unit]}"
        # The stem is the first module of stage 1.
        number -= stage > 1
        return f"body.stage{stage}.{number}.{_MOBILENET_MODULES[unit]}"
    if found := re.fullmatch(r"pyramid(\d)_(lateral|merge)", block):
        return f"fpn.{'output' if found[2] == 'lateral' else 'merge'}{found[1]}.{part}"
    if found := re.fullmatch(r"context(\d)_(\w+)", block):
        return f"ssh{found[1]}.{_CONTEXT_MODULES[found[2]]}.{part}"
    if found := re.fullmatch(r"(logits|boxes|landmarks)(\d)", block):
        return f"{_HEAD_MODULES[found[1]]}.{int(found[2]) - 1}.conv1x1"
    raise KeyError(layer)
