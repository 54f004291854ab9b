"""Batches that a run has kept, whole or damaged, and of another network."""

from contextlib import suppress

import numpy as np
import pytest

from retinaface_tf.config_file import load_config
from retinaface_tf.doctor.replay import read_batch, replay
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.files import save_weights
from retinaface_tf.training.checkpoint import save_config

BATCH = {
    "names": np.array(["a.jpg", "b.jpg"]),
    "images": np.zeros((2, 64, 64, 3), np.uint8),
    "boxes": np.zeros((2, 1, 4), np.float32),
    "landmarks": np.zeros((2, 1, 5, 2), np.float32),
    "has_landmarks": np.zeros((2, 1), bool),
    "valid": np.zeros((2, 1), bool),
}


@pytest.fixture
def file(tmp_path):
    """Returns a kept batch."""
    file = tmp_path / "bad_batches" / "step-1.npz"
    file.parent.mkdir()
    np.savez_compressed(file, **BATCH)
    return file


def test_a_batch_of_another_backbone_is_refused_by_name(file, made_up_network):
    save_weights(made_up_network("mobilenet025"), file.with_suffix(".weights.h5"))
    save_config(load_config("configs/res50.yaml", [f"train.workdir={file.parents[1]}"]))
    with pytest.raises(InputError, match=r"step-1\.weights\.h5: .*resnet50"):
        replay(file)


def test_a_batch_without_weights_is_refused_by_name(file):
    save_config(load_config("configs/mobilenet025.yaml", [f"train.workdir={file.parents[1]}"]))
    with pytest.raises(InputError, match=r"step-1\.weights\.h5: "):
        replay(file)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_batch_cut_short_is_refused_by_name(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"step-1\.npz: "):
        read_batch(file)


def test_a_batch_with_a_flipped_byte_is_refused_or_read(file):
    content = file.read_bytes()
    for place in range(0, len(content), 7):
        file.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        with suppress(InputError):
            read_batch(file)


@pytest.mark.parametrize(
    ("part", "array"),
    [
        ("images", np.zeros((1, 64, 64, 3), np.uint8)),
        ("images", np.zeros(3, np.uint8)),
        ("boxes", np.zeros((2, 4), np.float32)),
        ("valid", np.zeros((2, 3), bool)),
        ("names", np.array(3)),
    ],
)
def test_parts_of_a_batch_that_do_not_fit_together_are_refused(file, part, array):
    np.savez_compressed(file, **BATCH | {part: array})
    with pytest.raises(InputError, match=r"step-1\.npz: "):
        read_batch(file)
