"""Builds backbones: convolutional networks that turn pixels into features at strides 8, 16 and 32.

To add a backbone, add an entry to BACKBONES, a choice of `model.backbone` to the config and, to
read published weights, an entry to BACKBONE_NAMES in `model.weights.names`; a test ties the three.

Sources: ResNet (arXiv 1512.03385), MobileNetV1 (1704.04861), MobileNetV2 (1801.04381), with the
layers of biubug6/Pytorch_Retinaface (models/net.py) and torchvision.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from retinaface_tf.model.layers import (
    DATA_FORMAT,
    backbone_init,
    conv,
    depthwise_conv,
    leaky_relu,
    pad,
    relu,
    relu6,
)

# Builds a block on features, given channels, stride and name.
Block = Callable[[keras.KerasTensor, int, int, str], keras.KerasTensor]


@dataclass(frozen=True)
class Backbone:
    """Describes a backbone and where the network taps it."""

    build: Callable[[keras.KerasTensor], keras.KerasTensor]  # on pixels minus their mean
    taps: tuple[str, str, str]  # layers that feed the feature pyramid, at strides 8, 16, 32
    pyramid_channels: int


def resnet18(x: keras.KerasTensor) -> keras.KerasTensor:
    """Builds ResNet-18."""
    return _resnet(x, _basic_block, (2, 2, 2, 2))


def resnet34(x: keras.KerasTensor) -> keras.KerasTensor:
    """Builds ResNet-34."""
    return _resnet(x, _basic_block, (3, 4, 6, 3))


def resnet50(x: keras.KerasTensor) -> keras.KerasTensor:
    """Builds ResNet-50 v1.5, where the stride of a bottleneck is in its 3x3 convolution."""
    return _resnet(x, _bottleneck, (3, 4, 6, 3))


def _resnet(x: keras.KerasTensor, block: Block, counts: tuple[int, ...]) -> keras.KerasTensor:
    x = conv(x, 64, 7, stride=2, name="stem", initializer=backbone_init)
    # Padding with zeros equals minus infinity here, as the pooled values come out of a ReLU.
    pool = keras.layers.MaxPooling2D(3, 2, data_format=DATA_FORMAT, name="stem_pool")
    x = pool(pad(x, 1, "stem_pool"))
    for stage, count in enumerate(counts, start=1):
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            x = block(x, 32 * 2**stage, stride, f"stage{stage}_block{number}")
    return x


def _basic_block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    init = backbone_init
    y = conv(x, width, 3, stride=stride, name=f"{name}_first", initializer=init)
    y = conv(y, width, 3, act=None, name=f"{name}_second", initializer=init)
    return _add(x, y, stride, name)


def _bottleneck(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    init = backbone_init
    y = conv(x, width, 1, name=f"{name}_reduce", initializer=init)
    y = conv(y, width, 3, stride=stride, name=f"{name}_spatial", initializer=init)
    y = conv(y, 4 * width, 1, act=None, name=f"{name}_expand", initializer=init)
    return _add(x, y, stride, name)


def _add(x: keras.KerasTensor, y: keras.KerasTensor, stride: int, name: str) -> keras.KerasTensor:
    """Adds x and y, projecting x if y has a different shape, and applies a ReLU."""
    channels = y.shape[-1]
    if stride > 1 or x.shape[-1] != channels:
        init = backbone_init
        x = conv(x, channels, 1, stride=stride, act=None, name=f"{name}_project", initializer=init)
    return relu(keras.layers.Add(name=f"{name}_add")([x, y]), f"{name}_out")


def mobilenet025(x: keras.KerasTensor) -> keras.KerasTensor:
    """Builds MobileNetV1 at a quarter of the width, with leaky ReLUs."""
    x = conv(x, 8, 3, stride=2, act=leaky_relu, name="stem", initializer=backbone_init)
    stages = (
        ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
        ((128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1)),
        ((256, 2), (256, 1)),
    )
    for number, stage in enumerate(stages, start=1):
        for block, (filters, stride) in enumerate(stage, start=1):
            name = f"stage{number}_block{block}"
            x = depthwise_conv(x, stride=stride, act=leaky_relu, name=f"{name}_depthwise")
            x = conv(
                x, filters, 1, act=leaky_relu, name=f"{name}_pointwise", initializer=backbone_init
            )
    return x


def mobilenetv2(x: keras.KerasTensor) -> keras.KerasTensor:
    """Builds MobileNetV2: narrow blocks, widened inside, with a ReLU clipped at 6."""
    x = conv(x, 32, 3, stride=2, act=relu6, name="stem", initializer=backbone_init)
    stages = (
        ((16, 1, 1), (24, 6, 2), (24, 6, 1)),  # channels, expansion, stride
        ((32, 6, 2), (32, 6, 1), (32, 6, 1)),
        ((64, 6, 2), *[(64, 6, 1)] * 3, *[(96, 6, 1)] * 3),
        ((160, 6, 2), (160, 6, 1), (160, 6, 1), (320, 6, 1)),
    )
    for number, stage in enumerate(stages, start=1):
        for block, (channels, expansion, stride) in enumerate(stage, start=1):
            x = _inverted_residual(x, channels, expansion, stride, f"stage{number}_block{block}")
    return conv(x, 1280, 1, act=relu6, name="stage4_final", initializer=backbone_init)


def _inverted_residual(
    x: keras.KerasTensor, channels: int, expansion: int, stride: int, name: str
) -> keras.KerasTensor:
    y, init = x, backbone_init
    if expansion > 1:
        width = expansion * x.shape[-1]
        y = conv(y, width, 1, act=relu6, name=f"{name}_widen", initializer=init)
    y = depthwise_conv(y, stride=stride, act=relu6, name=f"{name}_depthwise")
    y = conv(y, channels, 1, act=None, name=f"{name}_narrow", initializer=init)
    if stride > 1 or x.shape[-1] != channels:
        return y
    return keras.layers.Add(name=f"{name}_add")([x, y])


BACKBONES = {
    "resnet18": Backbone(
        resnet18, ("stage2_block2_out", "stage3_block2_out", "stage4_block2_out"), 128
    ),
    "resnet34": Backbone(
        resnet34, ("stage2_block4_out", "stage3_block6_out", "stage4_block3_out"), 128
    ),
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
    "mobilenetv2": Backbone(
        mobilenetv2, ("stage2_block3_add", "stage3_block7_add", "stage4_final_act"), 128
    ),
}
