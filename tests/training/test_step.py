from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import load_config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Batch, Faces
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.step import TrainStep

VECTORS = Path(__file__).parents[1] / "vectors"
SIDE, BATCH = 64, 4
# All that could differ between replicas at once: batch norm, clipping, decay, averages, a rate
# that moves.
SETTINGS = [
    "model.backbone=mobilenet025",
    f"data.image_size={SIDE}",
    f"train.batch_per_device={BATCH}",
    "train.num_devices=1",
    "optimizer.ema=0.9",
]


def random_batch(seed: int, dtype: str) -> Batch:
    """Images with 0, 1, 2 and 3 faces, one without landmarks: an uneven share for any replica."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0.05, 0.4, (BATCH, 3, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0.2, 0.55, (BATCH, 3, 2))], axis=-1)
    faces = Faces(
        boxes=tf.constant(boxes, tf.float32),
        landmarks=tf.constant(random.uniform(0.1, 0.9, (BATCH, 3, 5, 2)), tf.float32),
        has_landmarks=tf.constant([[True, True, False]] * BATCH),
        valid=tf.sequence_mask(range(BATCH), 3),
    )
    images = tf.constant(random.integers(0, 256, (BATCH, SIDE, SIDE, 3)), tf.uint8)
    return Batch(tf.cast(images, dtype), faces, tf.range(BATCH, dtype=tf.int64))


def train(replicas: int, steps: int, precision: str, *overrides: str):
    """Losses [steps, 5] and all weights, statistics and averages after some steps."""
    config = load_config(
        "configs/res50.yaml",
        [
            *SETTINGS,
            f"model.precision={precision}",
            f"train.devices={list(range(replicas))}",
            *overrides,
        ],
    )
    keras.utils.set_random_seed(3)
    strategy = make_strategy(config.train)
    with strategy.scope():
        network = build_network(config)
        optimizer = make_optimizer(config.optimizer, np.geomspace(1e-3, 1e-4, steps))
        optimizer.build(network.trainable_variables)
    batches = tf.data.Dataset.from_generator(
        lambda: (random_batch(seed, precision) for seed in range(steps)),
        output_signature=tf.nest.map_structure(tf.type_spec_from_value, random_batch(0, precision)),
    )
    shared = strategy.experimental_distribute_dataset(batches.unbatch().batch(BATCH))
    step = TrainStep(network, optimizer, config, strategy, shared.element_spec)
    losses = [[float(value) for value in step(batch).values()] for batch in shared]
    state = [*network.variables, *optimizer.variables]
    return np.array(losses), [
        np.asarray(variable.numpy(), np.float64) for variable in state if variable.dtype != "int64"
    ]


def largest_difference(some, others) -> float:
    """Relative to the size of each tensor."""
    return max(
        float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))
        for a, b in zip(some, others, strict=True)
    )


@pytest.mark.parametrize("clip", ["null", "0.5"])
@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_train_as_one_device_does_in_float64(replicas, clip):
    clipping = f"optimizer.clip_norm={clip}"
    losses, state = train(1, 10, "float64", clipping)
    shared_losses, shared_state = train(replicas, 10, "float64", clipping)
    np.testing.assert_allclose(shared_losses, losses, rtol=1e-10)
    assert largest_difference(shared_state, state) < 1e-10


def test_two_replicas_take_the_first_step_of_one_device_in_float32():
    losses, state = train(1, 1, "float32")
    shared_losses, shared_state = train(2, 1, "float32")
    np.testing.assert_allclose(shared_losses, losses, rtol=1e-5)
    assert largest_difference(shared_state, state) < 1e-5


def test_clipping_holds_back_the_gradient_of_the_whole_batch():
    _, free = train(1, 1, "float32", "optimizer.weight_decay=0")
    _, clipped = train(1, 1, "float32", "optimizer.weight_decay=0", "optimizer.clip_norm=0.5")
    assert largest_difference(free, clipped) > 0.1


def test_bfloat16_trains_with_losses_near_those_of_float32():
    half, _ = train(1, 2, "bfloat16")
    full, _ = train(1, 2, "float32")
    assert np.isfinite(half).all()
    np.testing.assert_allclose(half[:, 0], full[:, 0], rtol=0.05)


def one_device(*overrides: str) -> TrainStep:
    """A step on a network that takes any number of faces, as the pipeline's batches have it."""
    config = load_config("configs/res50.yaml", [*SETTINGS, *overrides])
    network = build_network(config)
    optimizer = make_optimizer(config.optimizer, np.array([0.1]))
    optimizer.build(network.trainable_variables)
    spec = tf.nest.map_structure(tf.type_spec_from_value, random_batch(0, "float32"))
    faces = Faces(*(tf.TensorSpec([BATCH, None, *s.shape[2:]], s.dtype) for s in spec.faces))
    spec = spec._replace(faces=faces)
    return TrainStep(network, optimizer, config, tf.distribute.get_strategy(), spec)


def test_a_batch_without_any_face_changes_weights_by_decay_alone():
    step = one_device()
    batch = random_batch(0, "float32")
    nothing = batch._replace(faces=batch.faces._replace(valid=tf.zeros([BATCH, 3], tf.bool)))
    before = [weight.numpy() for weight in step.network.trainable_variables]
    metrics = step(nothing)
    assert {name: float(value) for name, value in metrics.items()} == dict.fromkeys(metrics, 0.0)
    for weight, was in zip(step.network.trainable_variables, before, strict=True):
        np.testing.assert_allclose(weight.numpy(), was * (1 - 0.1 * 5e-4), rtol=1e-5, atol=1e-9)


def test_one_trace_serves_batches_with_any_number_of_faces():
    step = one_device()
    batch = random_batch(0, "float32")
    for count in (1, 2, 3):
        step(batch._replace(faces=Faces(*(part[:, :count] for part in batch.faces))))
    assert step.run.experimental_get_tracing_count() == 1
