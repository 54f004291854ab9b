"""The table of backbones: its ties to the config, to published names and to the anchors."""

from dataclasses import fields
from typing import get_args

import keras
import pytest

from retinaface_tf.config import STRIDES, ModelConfig
from retinaface_tf.model.backbones import BACKBONES
from retinaface_tf.model.weights.names import BACKBONE_NAMES


def test_each_choice_of_the_config_has_its_backbone_and_its_published_names():
    (choices,) = (get_args(field.type) for field in fields(ModelConfig) if field.name == "backbone")
    assert sorted(choices) == sorted(BACKBONES) == sorted(BACKBONE_NAMES)


@pytest.mark.parametrize(
    ("backbone", "channels"),
    [
        ("resnet18", (128, 256, 512)),
        ("resnet34", (128, 256, 512)),
        ("resnet50", (512, 1024, 2048)),
        ("mobilenet025", (64, 128, 256)),
        ("mobilenetv2", (32, 96, 1280)),
    ],
)
def test_the_pyramid_taps_maps_of_these_widths_at_the_strides_of_the_anchors(
    made_up_network, backbone, channels
):
    network = made_up_network(backbone)
    taps = [network.get_layer(name).output for name in BACKBONES[backbone].taps]
    shapes = keras.Model(network.inputs, taps).compute_output_shape((1, 64, 96, 3))
    expected = [(1, 64 // s, 96 // s, c) for s, c in zip(STRIDES, channels, strict=True)]
    assert shapes == expected
