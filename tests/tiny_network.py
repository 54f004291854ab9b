"""A network of a few weights, for exports that are to be made in no time."""

import keras
import numpy as np
import tensorflow as tf

from retinaface_tf.config import STRIDES, Config
from retinaface_tf.model.detector import GraphDetector


def tiny_network(config: Config) -> keras.Model:
    """Heads that look at the mean colour of each anchor's cell, by random weights.

    As many anchors have each score, from next to 0 to next to 1.
    """
    random = np.random.default_rng(0)
    images = keras.Input((None, None, 3), name="images")
    x = keras.layers.Rescaling(1 / 64, -2.0, name="subtract_mean")(images)
    heads = {}
    for name, shape in {"boxes": (4,), "logits": (2,), "landmarks": (5, 2)}.items():
        levels = []
        for stride, sizes in zip(STRIDES, config.anchors.sizes, strict=True):
            cells = keras.layers.AveragePooling2D(stride, padding="same")(x)
            dense = keras.layers.Conv2D(len(sizes) * int(np.prod(shape)), 1)
            rows = keras.layers.Reshape((-1, *shape))(dense(cells))
            dense.set_weights([random.normal(size=w.shape) for w in dense.weights])
            levels.append(rows)
        heads[name] = keras.layers.Concatenate(axis=1, name=name)(levels)
    return keras.Model(images, heads, name="tiny")


def tiny_detector(config: Config) -> GraphDetector:
    return GraphDetector(tiny_network(config), config)


def noise(*shape: int) -> tf.Tensor:
    """Blotches, as single pixels have all the same mean: uint8 [*shape, 3]."""
    random = np.random.default_rng(1)
    batch, height, width = shape
    small = random.integers(0, 256, (batch, height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return small.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
