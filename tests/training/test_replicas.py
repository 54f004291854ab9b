import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "replicas.py"
SLOW = pytest.mark.slow
REPLICAS = pytest.mark.parametrize(
    "replicas", [pytest.param(2, marks=SLOW), pytest.param(4, marks=SLOW), "2 processes x 2"]
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs replicas.py by number of devices and name of run, each once, and reads what it saved."""

    @cache
    def run_once(replicas: int | str, name: str) -> dict[str, np.ndarray]:
        file = tmp_path_factory.mktemp("replicas") / "result.npz"
        several = isinstance(replicas, str)
        launch = ["-m", "retinaface_tf.training.launch", "--workers=2", "--restarts=0", "--"]
        script = [str(SCRIPT), "2" if several else str(replicas), name, str(file)]
        command = [sys.executable, *(launch if several else []), *script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(np.load(file))

    return run_once


def assert_same(some, others, tolerance: float, *, least: float, prefix: str = "") -> None:
    """Compares arrays, each relative to its largest value, or to `least` if that is larger."""
    assert some.keys() == others.keys()
    names = [name for name in others if name.startswith(prefix)]
    assert len(names) > 100
    for name in names:
        scale = max(np.abs(others[name]).max(), least)
        assert np.abs(some[name] - others[name]).max() <= tolerance * scale, name


@REPLICAS
def test_replicas_train_as_one_device_does_in_float64(run, replicas):
    assert_same(run(replicas, "float64"), run(1, "float64"), 1e-10, least=1e-12)


@pytest.mark.slow
@REPLICAS
def test_a_batch_that_breaks_one_replica_is_skipped_by_all(run, replicas):
    several, one = run(replicas, "broken"), run(1, "broken")
    for result in (several, one):
        finite = np.isfinite(result["metrics"]).all(axis=1)
        np.testing.assert_array_equal(finite, [True, False, True])
    for prefix in ("network/", "optimizer/"):
        assert_same(several, one, 1e-10, least=1e-12, prefix=prefix)


@pytest.mark.slow
@REPLICAS
def test_replicas_clip_the_gradient_that_one_device_clips(run, replicas):
    clipped = run(1, "float64_clipped")
    assert_same(run(replicas, "float64_clipped"), clipped, 1e-10, least=1e-12)
    free, clipped = run(1, "float64")["metrics"], clipped["metrics"]
    assert abs(free[-1, 0] - clipped[-1, 0]) > 1e-6, "the norm in this test is low enough to clip"


@pytest.mark.slow
@REPLICAS
def test_replicas_take_the_first_step_of_one_device_in_float32(run, replicas):
    several, one = run(replicas, "float32"), run(1, "float32")
    np.testing.assert_allclose(several["metrics"], one["metrics"], rtol=1e-5)
    # Biases that began at 0 are as small as a step, and as exact as a gradient in float32; batch
    # norm rounds otherwise where it is written out, for several, than in the fused kernel, for one.
    assert_same(several, one, 1e-5, least=3e-3, prefix="network/")
