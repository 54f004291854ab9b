"""What all tests share: four devices, the default config, the originals' numbers."""

from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import Config

VECTORS = Path(__file__).parent / "vectors"
SHARED = Path(__file__).parents[2] / "shared"

Vectors = dict[str, np.ndarray]

# Replicas need devices, and devices are fixed once TensorFlow has started.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)
# TensorFlow's first call of each kind takes longer than any deadline.
hypothesis.settings.register_profile("tests", deadline=None, max_examples=40, print_blob=True)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def config() -> Config:
    """The defaults: ResNet-50 at 840 pixels, as the seed has it."""
    return Config()


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Vectors]:
    """Reads a file of `tests/vectors`, whose README says how each was made."""

    def read(name: str) -> Vectors:
        with np.load(VECTORS / f"{name}.npz") as file:
            return dict(file)

    return read


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside this repository with data too large for it; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED}, which is not on this machine")
    return SHARED
