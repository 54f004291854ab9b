"""What the newest checkpoint of a run holds, for tests that compare runs."""

from pathlib import Path

import numpy as np
import tensorflow as tf


def saved_tensors(workdir: Path) -> dict[str, np.ndarray]:
    """Returns all tensors of the newest checkpoint by name."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(workdir / "checkpoints")))
    names = [
        name
        for name in reader.get_variable_to_shape_map()
        # How often a run was saved is not part of what was trained.
        if "VARIABLE_VALUE" in name and "save_counter" not in name
    ]
    assert len(names) > 300
    return {name: reader.get_tensor(name) for name in names}


def assert_same_bits(workdir: Path, other: Path) -> None:
    ours, theirs = saved_tensors(workdir), saved_tensors(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.tobytes() == theirs[name].tobytes(), name
