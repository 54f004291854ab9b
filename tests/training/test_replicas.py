import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("replicas.py")
REPLICAS = pytest.mark.parametrize("replicas", [2, pytest.param(4, marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What replicas.py saved, by number of devices and name of run; each is run once."""

    @cache
    def run_once(replicas: int, name: str) -> list[np.ndarray]:
        file = tmp_path_factory.mktemp("replicas") / "result.npz"
        command = [sys.executable, str(SCRIPT), str(replicas), name, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return list(np.load(file).values())

    return run_once


def assert_same(some, others, tolerance: float) -> None:
    """Compares metrics, weights, statistics, momenta and averages, each by its largest value."""
    assert len(some) == len(others) > 300
    for a, b in zip(some, others, strict=True):
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-12)


@REPLICAS
def test_replicas_train_as_one_device_does_in_float64(run, replicas):
    assert_same(run(replicas, "float64"), run(1, "float64"), 1e-10)


@pytest.mark.slow
@REPLICAS
def test_replicas_clip_the_gradient_that_one_device_clips(run, replicas):
    assert_same(run(replicas, "float64_clipped"), run(1, "float64_clipped"), 1e-10)
    free, clipped = run(1, "float64")[0], run(1, "float64_clipped")[0]
    assert abs(free[-1, 0] - clipped[-1, 0]) > 1e-6, "the norm in this test is low enough to clip"


@pytest.mark.slow
def test_two_replicas_take_the_first_step_of_one_device_in_float32(run):
    assert_same(run(2, "float32"), run(1, "float32"), 1e-5)
