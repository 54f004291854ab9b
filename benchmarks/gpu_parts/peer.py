"""Trains the peer: biubug6's step in PyTorch, in a process without TensorFlow."""

from collections.abc import Iterator

import numpy as np
import peers

from gpu_parts.clock import measure, torch_memory
from gpu_parts.rows import Row
from gpu_parts.setting import Case, Setting, training_config

_FACES = 12  # per image, about as many as in the drawn ones


def train_biubug6(case: Case, setting: Setting) -> Iterator[Row]:
    """Measures the peer's step on one batch that the device holds: noise, with faces anywhere.

    Float32 means what it means to PyTorch by default: TF32 in convolutions.
    """
    import torch

    config = training_config(case, setting)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    step = peers.biubug6_step(setting.biubug6, config, case.precision, device)
    images, faces = _random_batch(config.train.global_batch, config.data.image_size)
    on_device = torch.from_numpy(images).to(device)
    rows = [torch.from_numpy(each).to(device) for each in faces]
    timing = measure(lambda: step(on_device, rows), setting.seconds, torch_memory())
    yield setting.training_row(f"{case}, biubug6's in PyTorch", config, timing)


def _random_batch(count: int, side: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns images [B, 3, S, S] and the faces of each [G, 15]: box, landmarks, 1."""
    random = np.random.default_rng(1)
    images = random.normal(0, 60, (count, 3, side, side)).astype(np.float32)
    corners = random.uniform(0, 0.8, (count, _FACES, 2))
    sizes = random.uniform(0.02, 0.2, (count, _FACES, 1))
    points = corners[:, :, None] + sizes[:, :, None] * random.uniform(0, 1, (count, _FACES, 5, 2))
    parts = (corners, corners + sizes, points.reshape(count, _FACES, 10), np.ones_like(sizes))
    return images, list(np.concatenate(parts, axis=2).astype(np.float32))
