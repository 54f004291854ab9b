"""A detector in, AP out: what Python users and the command call."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import Config, EvalConfig
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import SETS, GroundTruth
from retinaface_tf.evaluation.data import EvaluationData, find_images, load_evaluation_data
from retinaface_tf.evaluation.evaluate import evaluate
from retinaface_tf.evaluation.stages import time_stages
from retinaface_tf.structures import DetectionBatch


@pytest.fixture
def original(drawn) -> Config:
    config = Config(eval=EvalConfig(protocol="original"))
    return replace(config, data=replace(config.data, root=str(drawn), num_workers=1))


def detect(images, scale):
    """Finds one face, wherever it is asked."""
    return DetectionBatch(
        tf.constant([[[10.0, 20, 40, 60]]]),
        tf.constant([[0.5]]),
        tf.zeros([1, 1, 5, 2]),
        tf.constant([1]),
    )


@pytest.fixture
def data(original) -> EvaluationData:
    """Returns two images: one has the face that `detect` finds, the other one elsewhere."""
    names = list(load_evaluation_data(original).files)[:2]
    masks = dict.fromkeys(SETS, np.array([True]))
    faces = np.array([[10.0, 20, 30, 40]]), np.array([[300.0, 20, 30, 40]])
    truth = {name: GroundTruth(face, masks) for name, face in zip(names, faces, strict=True)}
    return EvaluationData(load_evaluation_data(original).select(names).files, truth)


def test_a_detector_is_evaluated_by_one_call(data, original):
    evaluation, predictions = evaluate(detect, data, original, source="a/name", timed=True)
    # One of two faces is found, by one of two detections of the same score.
    assert evaluation.ap == {"easy": 0.25, "medium": 0.25, "hard": 0.25}
    assert (evaluation.source, evaluation.protocol) == ("a/name", "original")
    assert evaluation.images == 2
    assert evaluation.config == original
    assert list(evaluation.speed) == ["decoding", "detector"]
    assert [rows.tolist() for rows in predictions.values()] == [[[10, 20, 30, 40, 0.5]]] * 2


def test_stages_of_many_passes_are_not_timed(data):
    assert time_stages(detect, data.files, Config(eval=EvalConfig(protocol="ms_flip"))) is None


def test_a_part_of_the_data_has_its_own_faces_alone(original):
    whole = load_evaluation_data(original)
    assert len(whole.files) == 4
    third = list(whole.files)[2]
    part = whole.select([third])
    assert list(part.files) == list(part.truth) == [third]
    assert part.files[third] == whole.files[third]


def test_images_are_found_where_they_exist(original, tmp_path):
    files = load_evaluation_data(original).files
    assert find_images(original) == files
    root = tmp_path / "data"
    (root / "val").mkdir(parents=True)
    elsewhere = replace(original, data=replace(original.data, root=str(root)))
    assert find_images(elsewhere) == {}
    (root / "val/label.txt").write_text("# e/here.jpg\n1 2 3 4\n# e/gone.jpg\n1 2 3 4\n")
    (root / "val/images/e").mkdir(parents=True)
    (root / "val/images/e/here.jpg").touch()
    assert list(find_images(elsewhere)) == ["e/here"]


def test_evaluation_data_without_ground_truth_is_refused(original):
    config = replace(original, eval=EvalConfig(ground_truth="nowhere"))
    with pytest.raises(InputError, match=r"nowhere/wider_face_val\.mat"):
        load_evaluation_data(config)
