"""Backbones: what turns pixels into features at strides 8, 16 and 32 (REFERENCE 1.2, 1.6)."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from retinaface_tf.model.layers import activation, backbone_init, conv, depthwise_conv, pad

LEAKY = 0.1


@dataclass(frozen=True)
class Backbone:
    """An entry of the table: how to build it and where the feature pyramid taps it."""

    build: Callable[[keras.KerasTensor], keras.KerasTensor]
    taps: tuple[str, str, str]  # layer names, strides 8, 16, 32
    pyramid_channels: int


def resnet50(x: keras.KerasTensor) -> keras.KerasTensor:
    """ResNet-50 v1.5: the 3x3 convolution of a bottleneck has the stride, not the first 1x1."""
    x = conv(x, 64, 7, stride=2, name="stem", initializer=backbone_init)
    # Zeros equal minus infinity here: the pooled values come out of a ReLU.
    x = keras.layers.MaxPooling2D(3, 2, name="stem_pool")(pad(x, 1, "stem_pool"))
    stages = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
    for number, (blocks, width, stride) in enumerate(stages, start=1):
        for block in range(1, blocks + 1):
            name = f"stage{number}_block{block}"
            x = _bottleneck(x, width, stride if block == 1 else 1, block == 1, name)
    return x


def _bottleneck(
    x: keras.KerasTensor, width: int, stride: int, project: bool, name: str
) -> keras.KerasTensor:
    init = backbone_init
    y = conv(x, width, 1, name=f"{name}_reduce", initializer=init)
    y = conv(y, width, 3, stride=stride, name=f"{name}_spatial", initializer=init)
    y = conv(y, 4 * width, 1, slope=None, name=f"{name}_expand", initializer=init)
    if project:
        x = conv(
            x, 4 * width, 1, stride=stride, slope=None, name=f"{name}_project", initializer=init
        )
    return activation(keras.layers.Add(name=f"{name}_add")([x, y]), 0.0, f"{name}_out")


def mobilenet025(x: keras.KerasTensor) -> keras.KerasTensor:
    """MobileNetV1 at a quarter of the width, with leaky ReLUs."""
    x = conv(x, 8, 3, stride=2, slope=LEAKY, name="stem", initializer=backbone_init)
    stages = (
        ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
        ((128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1)),
        ((256, 2), (256, 1)),
    )
    for number, stage in enumerate(stages, start=1):
        for block, (filters, stride) in enumerate(stage, start=1):
            name = f"stage{number}_block{block}"
            x = depthwise_conv(x, stride=stride, slope=LEAKY, name=f"{name}_depthwise")
            x = conv(
                x, filters, 1, slope=LEAKY, name=f"{name}_pointwise", initializer=backbone_init
            )
    return x


BACKBONES = {
    "resnet50": Backbone(
        resnet50, ("stage2_block4_out", "stage3_block6_out", "stage4_block3_out"), 256
    ),
    "mobilenet025": Backbone(
        mobilenet025,
        (
            "stage1_block5_pointwise_act",
            "stage2_block6_pointwise_act",
            "stage3_block2_pointwise_act",
        ),
        64,
    ),
}
