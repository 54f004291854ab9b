"""LiteRT at its fixed size, beside the Detector that it was made of."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from bright_cells import ANCHORS_OF_CELLS, BrightCells, thousand_faces
from tiny_network import noise, tiny_detector

from retinaface_tf.config import DetectorConfig
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import InputError
from retinaface_tf.export.litert import write_litert
from retinaface_tf.runtimes.litert import LiteRtDetector

SIDE = 96


@pytest.fixture(scope="module")
def exported(config, tmp_path_factory):
    """A detector, and the files that it became, by precision."""
    detector = tiny_detector(config)
    images = [image[0] for image in (noise(1, SIDE, SIDE),) * 3]
    folder = tmp_path_factory.mktemp("litert")
    metadata = {"config": config.as_dict()}
    files = write_litert(detector.network, SIDE, folder, metadata, images)
    return detector, {file.stem.removeprefix("model_"): file for file in files}


def test_there_is_a_file_of_each_precision(exported):
    assert list(exported[1]) == ["float32", "float16", "int8"]


def test_without_images_to_learn_ranges_from_there_is_no_int8(exported, tmp_path):
    files = write_litert(exported[0].network, SIDE, tmp_path, {})
    assert [file.name for file in files] == ["model_float32.tflite", "model_float16.tflite"]


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("size", [(SIDE, SIDE), (75, 101), (40, 30), (300, 20)])
def test_float32_answers_as_the_detector_does_about_the_square(exported, size, scale):
    detector, files = exported
    images = noise(1, *size)
    square, factor = letterbox(tf.constant(images[0]), SIDE)
    expected = detector(square[None], factor * scale)
    found = LiteRtDetector(files["float32"])(images, scale)
    assert found.num_detections == expected.num_detections > 5
    for name, tolerance in {"boxes": 1e-2, "scores": 1e-4, "landmarks": 1e-2}.items():
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance
        )


@pytest.mark.parametrize(("precision", "tolerance"), [("float16", 0.01), ("int8", 0.1)])
def test_rounded_models_score_as_float32_but_for_rounding(exported, precision, tolerance):
    _, files = exported
    images = noise(1, SIDE, SIDE)
    found, exact = (LiteRtDetector(files[name])(images) for name in (precision, "float32"))
    assert 0 < np.abs(found.scores[0, :5] - exact.scores[0, :5]).max() < tolerance


def test_images_of_a_batch_are_answered_each(exported):
    detect = LiteRtDetector(exported[1]["float32"])
    images = noise(3, 50, 70)
    together, apart = detect(images), [detect(image[None]) for image in images]
    for rows, parts in zip(together, zip(*apart, strict=True), strict=True):
        np.testing.assert_array_equal(rows, np.concatenate(parts))


@pytest.mark.parametrize("shape", [(0, 64, 64, 3), (2, 0, 0, 3), (1, 0, 5, 3)])
def test_no_images_and_images_without_pixels_have_no_detections(exported, shape):
    found = LiteRtDetector(exported[1]["float32"])(np.zeros(shape, np.uint8))
    most = exported[0].config.detector.max_detections
    assert found.boxes.shape == (shape[0], most, 4)
    assert not found.num_detections.any()


def test_of_a_thousand_faces_the_best_750_are_told(config, tmp_path):
    crowd = replace(config, anchors=ANCHORS_OF_CELLS, detector=DetectorConfig())
    image, best = thousand_faces(cell=16)
    side = image.shape[1]
    network = BrightCells(16, certain=256)
    file, _ = write_litert(network, side, tmp_path, {"config": crowd.as_dict()})
    found = LiteRtDetector(file)(image)
    assert found.num_detections.tolist() == [750]
    np.testing.assert_allclose(found.scores[0], best, rtol=1e-5)


def test_the_file_carries_the_settings_that_it_is_decoded_by(config, tmp_path):
    limits = replace(config.detector, score_threshold=0.9, max_detections=3)
    detector = tiny_detector(replace(config, detector=limits))
    file, _ = write_litert(detector.network, SIDE, tmp_path, {"config": detector.config.as_dict()})
    found = LiteRtDetector(file)(noise(1, SIDE, SIDE))
    assert found.scores.shape == (1, 3)
    assert (found.scores > 0.9).all()


@pytest.mark.parametrize("content", [None, b"", b"no model" * 100])
def test_what_is_no_model_is_named(tmp_path, content):
    file = tmp_path / "a.tflite"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tflite: not a model that export\.py wrote"):
        LiteRtDetector(file)


def test_a_model_of_others_is_refused(exported, tmp_path):
    converter = tf.lite.TFLiteConverter.from_keras_model(exported[0].network)
    (tmp_path / "other.tflite").write_bytes(converter.convert())
    with pytest.raises(InputError, match=r"other\.tflite: not a model that export\.py wrote"):
        LiteRtDetector(tmp_path / "other.tflite")
