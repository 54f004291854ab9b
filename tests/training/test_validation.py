from dataclasses import replace

import numpy as np
import pytest
from training.test_run import run_of

from retinaface_tf.config_file import load_config
from retinaface_tf.model.network import build_network
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.validation import Validation


@pytest.fixture(scope="module")
def measured(drawn, tmp_path_factory):
    """A validation that has measured the same network after 40, 80 and 120 steps."""
    config = load_config(
        "configs/mobilenet025.yaml",
        [
            f"train.workdir={tmp_path_factory.mktemp('run')}",
            f"data.root={drawn}",
            "eval.protocol=original",
            "detector.score_threshold=0.4",
            "train.validate_images=2",
        ],
    )
    network = build_network(config)
    optimizer = make_optimizer(config.optimizer, np.zeros(1))
    optimizer.build(network.trainable_variables)
    validation = Validation(config)
    for step in (40, 80, 120):
        validation.measure(network, optimizer, step)
    return validation


def test_the_first_of_equal_measurements_is_the_best(measured):
    assert measured.last_measured == 120
    assert measured.steps_since_best == 80


@pytest.mark.parametrize(("patience", "ends"), [(2, True), (3, False)])
def test_a_run_ends_after_so_many_measurements_without_a_new_best(measured, patience, ends):
    # Twenty steps an epoch: one measurement in 40 steps.
    run = run_of(400, "train.validate_epochs=2", f"train.early_stop={patience}")
    assert replace(run, validation=measured).is_stale == ends


def test_pictures_show_what_was_detected(measured):
    assert len(measured.pictures) == 2
    for picture in measured.pictures:
        assert picture.dtype == np.uint8
        assert max(picture.shape) <= 640
