"""A training step on one device, on the batches of replicas.py."""

import keras
import numpy as np
import tensorflow as tf
from replicas import BATCH, SETTINGS, random_batch
from tiny_network import tiny_network

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.structures import Batch, Faces
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.step import TrainStep


def network_with_statistics(config: Config) -> keras.Model:
    """Returns a few weights behind a batch norm."""
    images = keras.Input((None, None, 3))
    return keras.Model(images, tiny_network(config)(keras.layers.BatchNormalization()(images)))


def one_device(*overrides: str, build=network_with_statistics) -> TrainStep:
    """Returns a step that takes batches with any number of faces, as those of the pipeline are."""
    config = load_config("configs/res50.yaml", [*SETTINGS, *overrides])
    network = build(config)
    optimizer = make_optimizer(config.optimizer, np.array([0.001]))
    optimizer.build(network.trainable_variables)
    spec = tf.nest.map_structure(tf.type_spec_from_value, random_batch(0))
    faces = Faces(*(tf.TensorSpec([BATCH, None, *s.shape[2:]], s.dtype) for s in spec.faces))
    strategy = tf.distribute.get_strategy()
    return TrainStep(network, optimizer, config, strategy, spec._replace(faces=faces))


def padded(batch: Batch, count: int) -> Batch:
    """Pads the faces of a batch up to so many faces in each image."""
    missing = count - batch.faces.valid.shape[1]
    edges = [[0, 0], [0, missing]]
    faces = Faces(*(tf.pad(p, edges + [[0, 0]] * (p.shape.rank - 2)) for p in batch.faces))
    return batch._replace(faces=faces)
