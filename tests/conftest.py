"""What all tests share: four devices, the default config, the originals' numbers."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from chromium import browser
from exported_models import litert_files, onnx_file, saved_model, tiny, tiny_config
from made_up_weights import made_up_network, made_up_state, with_made_up_weights
from torch_files import write_torch_old, write_torch_zip

from retinaface_tf.config import Config
from retinaface_tf.data.synthetic.scenes import draw_dataset

ROOT = Path(__file__).parents[1]
VECTORS = ROOT / "tests" / "vectors"
SHARED = ROOT.parent / "shared"

# Fixtures from beside.
__all__ = [
    "browser",
    "litert_files",
    "made_up_network",
    "made_up_state",
    "onnx_file",
    "saved_model",
    "tiny",
    "tiny_config",
    "with_made_up_weights",
]

Vectors = dict[str, np.ndarray]

# These take longest. They begin first, so that no process is left alone with one at the end.
LONGEST = (
    *("test_survival.py", "test_end_to_end.py", "test_replicas.py", "test_signatures.py"),
    *("test_client.py", "test_api.py", "test_command.py", "test_opening.py", "test_onnx.py"),
)

# Replicas need devices, and devices are fixed once TensorFlow has started.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)
# TensorFlow's first call of each kind takes longer than any deadline.
hypothesis.settings.register_profile("tests", deadline=None, max_examples=40, print_blob=True)
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session")
def config() -> Config:
    """Returns the defaults: ResNet-50 at 840 pixels, as the seed has it."""
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
    """Returns the folder beside this repository with large data; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED}, which is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a small data set of drawn faces, 16 images to train on and 4 to validate on."""
    root = tmp_path_factory.mktemp("drawn") / "faces"
    draw_dataset(root, 16, 4)
    return root


@pytest.fixture(scope="session")
def torch_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes `torch_tiny.pth` and, in the format before 1.6, `torch_tiny_old.pth`."""
    folder = tmp_path_factory.mktemp("torch")
    write_torch_zip(folder / "torch_tiny.pth")
    write_torch_old(folder / "torch_tiny_old.pth")
    return folder


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs one of the repository's commands as a user would, from the repository's root."""

    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    return run
