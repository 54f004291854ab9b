import numpy as np
import pytest
import tensorflow as tf
from training.replicas import BATCH, SETTINGS, random_batch

from retinaface_tf.config import load_config
from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Faces
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.step import TrainStep


def one_device(*overrides: str) -> TrainStep:
    """A step that takes batches with any number of faces, as those of the pipeline are."""
    config = load_config("configs/res50.yaml", [*SETTINGS, *overrides])
    network = build_network(config)
    optimizer = make_optimizer(config.optimizer, np.array([0.001]))
    optimizer.build(network.trainable_variables)
    spec = tf.nest.map_structure(tf.type_spec_from_value, random_batch(0))
    faces = Faces(*(tf.TensorSpec([BATCH, None, *s.shape[2:]], s.dtype) for s in spec.faces))
    strategy = tf.distribute.get_strategy()
    return TrainStep(network, optimizer, config, strategy, spec._replace(faces=faces))


def test_a_batch_without_any_face_changes_weights_by_decay_alone():
    step, batch = one_device(), random_batch(0)
    nothing = batch._replace(faces=batch.faces._replace(valid=tf.zeros([BATCH, 3], tf.bool)))
    before = [weight.numpy() for weight in step.network.trainable_variables]
    metrics = step(nothing)
    assert {name: float(value) for name, value in metrics.items()} == dict.fromkeys(metrics, 0.0)
    for weight, was in zip(step.network.trainable_variables, before, strict=True):
        np.testing.assert_allclose(weight.numpy(), was * (1 - 0.001 * 5e-4), rtol=1e-6, atol=1e-9)


def test_one_trace_serves_batches_with_any_number_of_faces():
    step, batch = one_device(), random_batch(0)
    for count in (1, 2, 3):
        step(batch._replace(faces=Faces(*(part[:, :count] for part in batch.faces))))
    assert step.run.experimental_get_tracing_count() == 1


def test_bfloat16_starts_with_losses_near_those_of_float32():
    full = one_device()
    half = one_device("model.precision=bfloat16")
    half.network.set_weights(full.network.get_weights())
    batch = random_batch(0)
    expected = {name: float(value) for name, value in full(batch).items()}
    for name, value in half(batch).items():
        assert value.dtype == tf.float32
        assert float(value) == pytest.approx(expected[name], rel=0.03)
