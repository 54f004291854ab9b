import numpy as np
import pytest
from tiny_backbone import tiny_backbone

from retinaface_tf.config_file import load_config
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import save_weights
from retinaface_tf.training import loop
from retinaface_tf.training.prepare import fit_batch
from retinaface_tf.training.validation import Best


@pytest.mark.parametrize(
    ("images", "replicas", "batch"),
    [
        (128, 1, 16),  # 8 steps already
        (127, 1, 8),
        (30, 1, 2),
        (3, 1, 1),
        (30, 4, 4),  # no less than one image for each replica
        (30, 3, 16),  # which 16 images could not be shared by either
    ],
)
def test_a_batch_is_halved_until_an_epoch_has_its_steps(images, replicas, batch):
    settings = ["train.batch_per_device=16", "train.num_devices=1", "train.min_epoch_steps=8"]
    config = fit_batch(load_config("mobilenet025", settings), images, replicas)
    assert config.train.global_batch == batch


def test_a_batch_stays_where_no_steps_are_demanded():
    config = load_config("mobilenet025")
    assert fit_batch(config, 1, 1) == config


@pytest.mark.slow
def test_weights_to_start_from_are_measured_first_and_stay_the_best_unless_training_betters_them(
    drawn, tmp_path, caplog
):
    caplog.set_level("INFO")
    settings = [
        *(f"data.root={drawn}", "data.image_size=64", f"train.workdir={tmp_path / 'run'}"),
        *("train.epochs=1", "train.batch_per_device=8", "schedule.decay_epochs=[]"),
        *("train.validate_epochs=1", "train.validate_images=2", "eval.protocol=vga"),
        # A training that changes nothing, and so is no better.
        *("optimizer.learning_rate=1e-30", "model.freeze=[norms]"),
        f"model.init={tmp_path / 'a.weights.h5'}",
    ]
    config = load_config("mobilenet025", settings)
    with tiny_backbone():
        network = build_network(config)
        save_weights(network, tmp_path / "a.weights.h5")
        assert loop.train(config)
        lines = [record.getMessage() for record in caplog.records]
        (first,) = (
            i for i, line in enumerate(lines) if line.startswith("before the first step AP")
        )
        assert first < next(i for i, line in enumerate(lines) if line.startswith("epoch 1 step"))
        (last,) = (line for line in lines if "epoch 1 AP" in line)
        assert "best: before the first step" in last
        best = Best.load(tmp_path / "run" / "best.json")
        assert (best.step, best.last_measured) == (0, 2)
        kept = build_network(config)
        kept.load_weights(tmp_path / "run" / "best.weights.h5")
    for ours, theirs in zip(kept.variables, network.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
