from dataclasses import replace

import numpy as np
import pytest
from tiny_network import tiny_network
from training.test_run import run_of

from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.training import validation
from retinaface_tf.training.optimizer import make_optimizer
from retinaface_tf.training.validation import Best, Measurement, Validation


@pytest.fixture(scope="module")
def measured(drawn, tmp_path_factory) -> tuple[Validation, Measurement]:
    """Returns a validation that has measured the same network after 40, 80 and 120 steps."""
    config = load_config(
        "configs/mobilenet025.yaml",
        [
            f"train.workdir={tmp_path_factory.mktemp('run')}",
            f"data.root={drawn}",
            "eval.protocol=original",
            "detector.score_threshold=0.9",
            "train.validate_images=2",
        ],
    )
    network = tiny_network(config)
    optimizer = make_optimizer(config.optimizer, np.zeros(1))
    optimizer.build(network.trainable_variables)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "build_network", tiny_network)
        every = Validation(config)
    for step in (40, 80, 120):
        measurement = every.measure(network, optimizer, step)
    return every, measurement


def test_the_first_of_equal_measurements_is_the_best(measured):
    every, (ap, _) = measured
    assert every.best == Best(step=40, ap=ap, last_measured=120)
    assert every.steps_since_best == 80
    assert every.has_measured(120)
    assert not every.has_measured(121)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", "the file"),
        (b'{"step": 40, "ap"', "the file"),
        (b"[1, 2]", "the file"),
        (b"\x00\xff", "the file"),
        (b'{"step": 40, "last_measured": 40}', "ap"),
        (b'{"step": 40, "ap": {}, "last_measured": 40}', "ap"),
        (b'{"step": 40, "ap": {"easy": NaN}, "last_measured": 40}', "ap.easy"),
        (b'{"step": "x", "ap": {"easy": 0.5}, "last_measured": 40}', "step"),
    ],
)
def test_a_damaged_best_json_is_refused_by_file_and_key(tmp_path, content, key):
    file = tmp_path / "best.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"best\.json: {key}: [^\n]*$"):
        Best.load(file)


def test_a_resumed_run_knows_the_best_so_far(measured):
    every, _ = measured
    assert Best.load(every.workdir / "best.json") == every.best
    assert (every.workdir / "best.weights.h5").exists()


def test_before_any_measurement_there_is_no_best(tmp_path):
    assert Best.load(tmp_path / "best.json") is None


@pytest.mark.parametrize(("patience", "ends"), [(2, True), (3, False)])
def test_a_run_ends_after_so_many_measurements_without_a_new_best(measured, patience, ends):
    # Twenty steps an epoch: one measurement in 40 steps.
    run = run_of(400, "train.validate_epochs=2", f"train.early_stop={patience}")
    assert replace(run, validation=measured[0]).is_stale == ends


def test_images_show_what_was_detected(measured):
    _, (_, images) = measured
    assert len(images) == 2
    for image in images:
        assert image.dtype == np.uint8
        assert max(image.shape) <= 640
