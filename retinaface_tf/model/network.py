"""Builds the network: backbone, feature pyramid, context modules, heads.

Source: RetinaFace (arXiv 1905.00641), section 3, in the form of biubug6/Pytorch_Retinaface,
models/retinaface.py and models/net.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from retinaface_tf.config import Config, ModelConfig
from retinaface_tf.errors import InputError
from retinaface_tf.model.backbones import BACKBONES
from retinaface_tf.model.layers import Activation, SubtractMean, conv, head, leaky_relu, relu

Shape = tuple[int | None, ...]
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float64": "float64"}


def build_network(config: Config) -> keras.Model:
    """Builds the network with random weights.

    Input: RGB pixels 0..255 [B, H, W, 3], uint8 or float, any H and W; the network subtracts the
    mean. Output: a dictionary with the fields of `Predictions`, where A follows from H and W as
    in `make_anchors`; float32 if the network computes in bfloat16.

    Examples:
        >>> network = build_network(load_config("mobilenet025"))
        >>> sorted(network.output)
        ['boxes', 'landmarks', 'logits']

    Raises:
        InputError: the config freezes a stage that the backbone lacks.
    """
    with _precision(config.model):
        backbone = build_backbone(config.model)
        levels = _pyramid(backbone.outputs, BACKBONES[config.model.backbone].pyramid_channels)
        anchors = [len(sizes) for sizes in config.anchors.sizes]
        features = [_context(x, f"context{i}") for i, x in enumerate(levels, start=1)]
        shapes = {"boxes": (4,), "logits": (2,), "landmarks": (5, 2)}
        outputs = {name: _all_levels(features, s, anchors, name) for name, s in shapes.items()}
        name = name_of_network(config.model.backbone)
        network = keras.Model(backbone.inputs[0], outputs, name=name)
    _freeze(network, config.model)
    return network


def name_of_network(backbone: str) -> str:
    """Returns the name of a whole network; a backbone alone is named as in the config."""
    return f"retinaface_{backbone}"


def build_backbone(config: ModelConfig) -> keras.Model:
    """Builds the backbone alone, from pixels to its three taps, for ImageNet weights.

    Input: as in `build_network`. Outputs: a list of the features at strides 8, 16, 32.
    """
    with _precision(config):
        images = keras.Input((None, None, 3), dtype="float32", name="images")
        x = SubtractMean(name="subtract_mean")(images)
        entry = BACKBONES[config.backbone]
        whole = keras.Model(images, entry.build(x), name=config.backbone)
        taps = [whole.get_layer(name).output for name in entry.taps]
        return keras.Model(images, taps, name=config.backbone)


def _freeze(network: keras.Model, config: ModelConfig) -> None:
    for part in config.freeze:
        layers = [layer for layer in network.layers if _is_of(layer.name, part)]
        if not layers:
            raise InputError(f"model.freeze: {config.backbone} has no {part}")
        for layer in layers:
            layer.trainable = False


def _is_of(layer: str, part: str) -> bool:
    """Tells by its name whether a layer is in a stage or, for `norms`, is a batch norm."""
    return layer.endswith("_norm") if part == "norms" else layer.startswith(f"{part}_")


@contextmanager
def _precision(config: ModelConfig) -> Iterator[None]:
    """Makes layers built in the `with` block compute in the precision of the config."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[config.precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class UpsampleTo(keras.layers.Layer):
    """Doubles a map by repetition and crops it to the size of another map.

    The result equals the originals' nearest neighbour (floor) if a level is half of the next,
    rounded up. Unlike ResizeNearestNeighbor, repetition is the same in every runtime and has a
    deterministic gradient.
    """

    def call(self, coarse: keras.KerasTensor, fine: keras.KerasTensor) -> keras.KerasTensor:
        height, width = keras.ops.shape(fine)[1:3]
        doubled = keras.ops.repeat(keras.ops.repeat(coarse, 2, axis=1), 2, axis=2)
        return doubled[:, :height, :width]

    def compute_output_shape(self, coarse_shape: Shape, fine_shape: Shape) -> Shape:
        return (*fine_shape[:3], coarse_shape[-1])


def _pyramid(taps: list[keras.KerasTensor], channels: int) -> list[keras.KerasTensor]:
    """Builds the feature pyramid for strides 8, 16 and 32, merging from the coarsest level down."""
    act = _activation(channels)
    p3, p4, p5 = (
        conv(x, channels, 1, act=act, name=f"pyramid{i}_lateral")
        for i, x in enumerate(taps, start=1)
    )

    def merge(fine: keras.KerasTensor, coarse: keras.KerasTensor, name: str) -> keras.KerasTensor:
        up = UpsampleTo(name=f"{name}_upsample")(coarse, fine)
        x = keras.layers.Add(name=f"{name}_add")([fine, up])
        return conv(x, channels, 3, act=act, name=f"{name}_merge")

    p4 = merge(p4, p5, "pyramid2")
    p3 = merge(p3, p4, "pyramid1")
    return [p3, p4, p5]


def _context(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Builds a context module: 3x3, 5x5 and 7x7 views, the larger ones as stacks of 3x3.

    Source: SSH (arXiv 1708.03979), section 3.2.
    """
    channels = x.shape[-1]
    act = _activation(channels)
    view3 = conv(x, channels // 2, 3, act=None, name=f"{name}_3x3")
    shared = conv(x, channels // 4, 3, act=act, name=f"{name}_shared")
    view5 = conv(shared, channels // 4, 3, act=None, name=f"{name}_5x5")
    deeper = conv(shared, channels // 4, 3, act=act, name=f"{name}_deeper")
    view7 = conv(deeper, channels // 4, 3, act=None, name=f"{name}_7x7")
    views = keras.layers.Concatenate(name=f"{name}_concat")([view3, view5, view7])
    return relu(views, f"{name}_out")


def _activation(channels: int) -> Activation:
    """Returns the activation of a pyramid: a leaky ReLU if the pyramid is narrow."""
    return leaky_relu if channels <= 64 else relu


def _all_levels(
    features: list[keras.KerasTensor], shape: tuple[int, ...], anchors: list[int], name: str
) -> keras.KerasTensor:
    """Joins the heads of all levels, in float32 or better: [B, A, *shape]."""
    rows = [
        head(x, shape, count, f"{name}{i}")
        for i, (x, count) in enumerate(zip(features, anchors, strict=True), start=1)
    ]
    dtype = "float64" if rows[0].dtype == "float64" else "float32"
    joined = keras.layers.Concatenate(axis=1, name=f"{name}_levels")(rows)
    return keras.layers.Activation("linear", dtype=dtype, name=name)(joined)
