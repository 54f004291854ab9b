import keras
import numpy as np
import pytest

from retinaface_tf.config import OptimizerConfig
from retinaface_tf.training.optimizer import make_optimizer


def run(config: OptimizerConfig, rates, gradients, start=1.0):
    weight = keras.Variable([start])
    optimizer = make_optimizer(config, np.array(rates))
    optimizer.build([weight])
    for gradient in gradients:
        optimizer.apply([np.array([gradient], np.float32)], [weight])
    return weight.numpy().item(), optimizer


def test_velocity_does_not_hold_the_learning_rate():
    # v: 1, then 0.9 + 1 = 1.9; w: 1 - 0.1 * 1 = 0.9, then 0.9 - 0.01 * 1.9 = 0.881.
    # Keras' own SGD would arrive at 0.9 - (0.09 + 0.01) = 0.8.
    config = OptimizerConfig(momentum=0.9, weight_decay=0)
    assert run(config, [0.1, 0.01], [1.0, 1.0])[0] == pytest.approx(0.881)


def test_weight_decay_goes_through_the_momentum():
    # v: 0.5 * 1 = 0.5, w: 0.95; v: 0.45 + 0.5 * 0.95 = 0.925, w: 0.95 - 0.0925 = 0.8575.
    config = OptimizerConfig(momentum=0.9, weight_decay=0.5)
    assert run(config, [0.1], [0.0, 0.0])[0] == pytest.approx(0.8575)


def test_the_seeds_optimizer_momentum_drops_the_weight_decay():
    config = OptimizerConfig(name="momentum", weight_decay=0.5)
    assert run(config, [0.1], [0.0, 0.0])[0] == 1.0


def test_the_average_follows_young_weights_fast_and_old_ones_slowly():
    # v: 1, 1.5; w: 0.9, 0.75. Of the average before, 1 / 10 stays, then 2 / 11: 0.91, 0.779.
    config = OptimizerConfig(momentum=0.5, weight_decay=0, ema=0.5)
    weight, optimizer = run(config, [0.1], [1.0, 1.0])
    assert weight == pytest.approx(0.75)
    assert optimizer.averages[0].numpy().item() == pytest.approx(0.779, abs=1e-3)
    # Without a gradient v halves to 0, and w goes to 0.6; from step 8 on half of an average stays.
    optimizer = run(config, [0.1], [1.0, 1.0] + [0.0] * 30)[1]
    assert optimizer.averages[0].numpy().item() == pytest.approx(0.6, abs=1e-6)


def test_before_the_first_step_the_average_is_the_weight():
    # So it is, too, if that step is skipped.
    assert run(OptimizerConfig(ema=0.5), [0.1], [])[1].averages[0].numpy().item() == 1.0


def test_without_ema_there_are_no_averages():
    assert run(OptimizerConfig(), [0.1], [1.0])[1].averages == []
