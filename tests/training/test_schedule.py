import numpy as np
import pytest

from retinaface_tf.config_file import load_config
from retinaface_tf.training.schedule import PerStep, learning_rates

# What the seed's own functions gave at 402 steps an epoch, 100 epochs.
DYNAMIC = {
    0: 0.00333333333,
    1: 0.00333665008,
    402: 0.00466666667,
    1005: 0.00666666667,
    2009: 0.00999668325,
    2010: 0.01,
    4020: 0.0099384417,
    20100: 0.00578217233,
    28140: 0.0027300475,
    36180: 0.000544967379,
    40199: 6.16194381e-05,
}
STANDARD_EPOCHS = {1: 0.001, 2: 0.0015849, 3: 0.002511908, 4: 0.003981123, 5: 0.0063096819}


def config(*overrides):
    return load_config("configs/res50.yaml", overrides)


def test_dynamic_lr_takes_the_values_of_the_seed():
    rates = learning_rates(config(), 402)
    assert len(rates) == 40_200
    for step, rate in DYNAMIC.items():
        assert rates[step] == pytest.approx(rate, rel=1e-8)


def test_standard_lr_takes_the_values_of_the_seed():
    rates = learning_rates(config("schedule.lr_type=standard_lr"), 402).reshape(100, 402)
    assert (rates == rates[:, :1]).all(), "constant within an epoch"
    per_epoch = dict(enumerate(rates[:, 0], start=1))
    for epoch, rate in STANDARD_EPOCHS.items():
        assert per_epoch[epoch] == pytest.approx(rate, rel=1e-7)
    expected = {6: 0.01, 69: 0.01, 70: 0.001, 90: 0.001, 91: 0.0001, 100: 0.0001}
    for epoch, rate in expected.items():
        assert per_epoch[epoch] == pytest.approx(rate)


def test_step_lr_decays_after_the_named_epochs_as_biubug6_does():
    overrides = ("schedule.lr_type=step_lr", "optimizer.learning_rate=0.001")
    rates = learning_rates(config(*overrides), 537)
    for step, rate in {
        0: 1e-3,
        70 * 537 - 1: 1e-3,
        70 * 537: 1e-4,
        90 * 537 - 1: 1e-4,
        90 * 537: 1e-5,
    }.items():
        assert rates[step] == pytest.approx(rate)


@pytest.mark.parametrize(
    ("lr_type", "base", "steps", "array"),
    [
        ("dynamic_lr", 0.01, 402, "ms_official_dynamic_402x100"),
        ("standard_lr", 0.01, 402, "ms_official_standard_402x100"),
        ("step_lr", 0.001, 537, "biubug6_537x100"),
    ],
)
def test_every_step_of_a_schedule_equals_the_original(shared, lr_type, base, steps, array):
    original = np.load(shared / "reference/vectors/lr_schedules.npz")[array]
    rates = learning_rates(
        config(f"schedule.lr_type={lr_type}", f"optimizer.learning_rate={base}"), steps
    )
    np.testing.assert_allclose(rates, original, rtol=1e-12)


def test_past_the_end_the_last_rate_holds():
    schedule = PerStep(np.array([0.3, 0.2, 0.1]))
    assert [round(float(schedule(step)), 6) for step in (0, 2, 3, 99)] == [0.3, 0.1, 0.1, 0.1]


def test_a_cosine_rises_from_zero_over_the_warm_up_and_falls_to_zero_at_the_end():
    settings = ("schedule.lr_type=cosine", "schedule.warmup_epochs=1", "train.epochs=3")
    rates = learning_rates(config(*settings, "optimizer.learning_rate=2"), 4)
    np.testing.assert_allclose(rates[:5], [0.5, 1, 1.5, 2, 2])
    assert rates[8] == pytest.approx(1)  # in the middle of the fall
    assert rates[-1] == pytest.approx(1 + np.cos(7 * np.pi / 8))
