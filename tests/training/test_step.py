import numpy as np
import pytest
import replicas
import tensorflow as tf
from replicas import BATCH, random_batch
from tiny_backbone import tiny_backbone
from tiny_network import tiny_network
from training_step import one_device, padded

from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Faces
from retinaface_tf.training.step import INPUT_WAIT


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


def test_one_trace_serves_any_number_of_steps_at_once():
    step = one_device()
    batches = iter(step.strategy.experimental_distribute_dataset(endless()))
    for count in (1, 2, 3):
        step.several(batches, count)
    assert step.run_several.experimental_get_tracing_count() == 1


def batches(steps: int) -> tf.data.Dataset:
    together = replicas.batches(steps)
    return tf.data.Dataset.from_tensor_slices(together).batch(BATCH, drop_remainder=True)


def endless() -> tf.data.Dataset:
    """Yields batches as the pipeline does, without saying how many faces one has."""
    dataset = batches(4).repeat()
    spec = dataset.element_spec
    faces = Faces(*(tf.TensorSpec([BATCH, None, *s.shape[2:]], s.dtype) for s in spec.faces))
    every = iter(dataset)
    return tf.data.Dataset.from_generator(
        lambda: every, output_signature=spec._replace(faces=faces)
    )


def test_several_steps_at_once_are_those_steps():
    one_by_one, at_once = (one_device() for _ in range(2))
    at_once.network.set_weights(one_by_one.network.get_weights())
    *_, expected = [one_by_one(batch) for batch in batches(3)]
    metrics = at_once.several(iter(batches(3)), 3)
    assert (metrics.pop(INPUT_WAIT).numpy() > 0).all()
    assert metrics.keys() == expected.keys()
    for name, value in metrics.items():
        assert value.shape == [3]
        assert float(value[-1]) == pytest.approx(float(expected[name]), rel=1e-5)
    for ours, theirs in zip(at_once.network.weights, one_by_one.network.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-7)


def test_a_batch_that_breaks_the_loss_changes_nothing_but_the_number_of_steps():
    step, batch = one_device(), random_batch(0)
    step(batch)
    kept = [*step.network.variables, *step.optimizer.variables[1:]]
    before, steps = [value.numpy() for value in kept], int(step.optimizer.iterations)
    infinite = tf.fill(batch.faces.landmarks.shape, np.float32(np.inf))
    metrics = step(batch._replace(faces=batch.faces._replace(landmarks=infinite)))
    broken = {name for name, value in metrics.items() if not np.isfinite(value)}
    assert broken == {"loss", "loss/landmarks", "gradient_norm"}
    for value, was in zip(kept, before, strict=True):
        np.testing.assert_array_equal(value.numpy(), was, err_msg=value.path)
    assert int(step.optimizer.iterations) == steps + 1
    assert np.isfinite(float(step(batch)["loss"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "steps", "tolerance"), [("float64", 10, 1e-10), ("float32", 1, 1e-5)]
)
def test_the_step_that_xla_compiles_is_the_same(precision, steps, tolerance):
    with tiny_backbone():
        plain, compiled = (
            one_device(f"model.precision={precision}", f"train.xla={x}", build=build_network)
            for x in (False, True)
        )
    compiled.network.set_weights(plain.network.get_weights())
    for seed in range(steps):
        batch = padded(random_batch(seed), 16)
        expected, metrics = plain(batch), compiled(batch)
        for name, value in metrics.items():
            assert float(value) == pytest.approx(float(expected[name]), rel=tolerance)
    variables = (plain.network.weights, compiled.network.weights)
    # Biases that began at 0 are as small as a step, and as exact as a gradient.
    least = 3e-3 if precision == "float32" else 0
    for ours, theirs in zip(*variables, strict=True):
        scale = max(np.abs(theirs.numpy()).max(), least)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=tolerance * scale)


@pytest.mark.slow
def test_bfloat16_starts_with_losses_near_those_of_float32():
    full = one_device(build=build_network)
    half = one_device("model.precision=bfloat16", build=build_network)
    half.network.set_weights(full.network.get_weights())
    batch = random_batch(0)
    expected = {name: float(value) for name, value in full(batch).items()}
    metrics = half(batch)
    assert float(metrics.pop("gradient_norm")) == pytest.approx(expected["gradient_norm"], rel=0.3)
    for name, value in metrics.items():
        assert value.dtype == tf.float32
        assert float(value) == pytest.approx(expected[name], rel=0.03)


def test_micro_batches_learn_what_the_batch_does_at_once():
    # Without batch norm, which would see other statistics in each micro-batch.
    whole, split = (
        one_device("optimizer.clip_norm=0.5", f"train.accumulate={n}", build=tiny_network)
        for n in (1, 4)
    )
    for seed in range(3):
        expected, metrics = whole(random_batch(seed)), split(random_batch(seed))
        for name, value in metrics.items():
            assert float(value) == pytest.approx(float(expected[name]), rel=1e-5)
    for ours, theirs in zip(split.network.weights, whole.network.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-7)
