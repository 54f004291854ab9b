"""A backbone of five convolutions under the name of mobilenet025, traced in half the time.

For tests of training in which it matters that a run goes on, not what it learns.
"""

from unittest.mock import patch

import keras

from retinaface_tf.model.backbones import BACKBONES, Backbone
from retinaface_tf.model.layers import backbone_init, conv, leaky_relu


def build(x: keras.KerasTensor) -> keras.KerasTensor:
    """Halves the image five times; each layer with batch norm."""
    for name in ("stem", "stage1", "stage2", "stage3", "stage4"):
        x = conv(x, 8, 3, stride=2, act=leaky_relu, name=name, initializer=backbone_init)
    return x


TINY = Backbone(build, ("stage2_act", "stage3_act", "stage4_act"), pyramid_channels=8)


def tiny_backbone():
    """Replaces mobilenet025: within a `with`, or in what this decorates."""
    return patch.dict(BACKBONES, mobilenet025=TINY)
