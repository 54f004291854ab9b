"""LiteRT at its fixed size, beside the GraphDetector that it was made of."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from bright_cells import (
    ANCHORS_OF_CELLS,
    ANCHORS_OF_SQUARES,
    BrightCells,
    BrightSquares,
    thousand_faces,
)
from exported_models import ROOM, SIDE
from tiny_network import noise, tiny_detector

from retinaface_tf.config import DetectorConfig
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import InputError
from retinaface_tf.export.litert_conversion import IN_FLOAT, write_litert
from retinaface_tf.export.provenance import collect_metadata
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.runtimes.litert import LiteRtDetector


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("size", [(SIDE, SIDE), (75, 101), (40, 30), (300, 20)])
def test_float32_answers_as_the_detector_does_about_the_square(tiny, litert_files, size, scale):
    images = noise(1, *size)
    square, factor = letterbox(tf.constant(images[0]), SIDE)
    expected = tiny(square[None], factor * scale)
    found = LiteRtDetector(litert_files["float32"])(images, scale)
    assert found.num_detections == expected.num_detections > 5
    for name, tolerance in {"boxes": 1e-2, "scores": 1e-4, "landmarks": 1e-2}.items():
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance
        )


@pytest.mark.parametrize(("precision", "tolerance"), [("float16", 0.01), ("int8", 0.1)])
def test_rounded_models_score_as_float32_but_for_rounding(litert_files, precision, tolerance):
    images = noise(1, SIDE, SIDE)
    found, exact = (LiteRtDetector(litert_files[name])(images) for name in (precision, "float32"))
    assert 0 < np.abs(found.scores[0, :5] - exact.scores[0, :5]).max() < tolerance


def test_images_of_a_batch_are_answered_each(litert_files):
    detect = LiteRtDetector(litert_files["float32"])
    images = noise(3, 50, 70)
    together, apart = detect(images), [detect(image[None]) for image in images]
    for rows, parts in zip(together, zip(*apart, strict=True), strict=True):
        np.testing.assert_array_equal(rows, np.concatenate(parts))


@pytest.mark.parametrize("shape", [(0, 64, 64, 3), (2, 0, 0, 3), (1, 0, 5, 3)])
def test_no_images_and_images_without_pixels_have_no_detections(litert_files, shape):
    found = LiteRtDetector(litert_files["float32"])(np.zeros(shape, np.uint8))
    assert found.boxes.shape == (shape[0], ROOM, 4)
    assert not found.num_detections.any()


def test_of_a_thousand_faces_the_best_750_are_told(config, tmp_path):
    crowd = replace(config, anchors=ANCHORS_OF_CELLS, detector=DetectorConfig())
    image, best = thousand_faces(cell=16)
    side = image.shape[1]
    detector = GraphDetector(BrightCells(16, certain=256), crowd)
    metadata = collect_metadata(detector, "test")
    file, _ = write_litert(detector.network, side, tmp_path, metadata)
    found = LiteRtDetector(file)(image)
    assert found.num_detections.tolist() == [750]
    np.testing.assert_allclose(found.scores[0], best, rtol=1e-5)


def test_the_file_carries_the_settings_that_it_is_decoded_by(config, tmp_path):
    limits = replace(config.detector, score_threshold=0.9, max_detections=3)
    detector = tiny_detector(replace(config, detector=limits))
    metadata = collect_metadata(detector, "test")
    file, _ = write_litert(detector.network, SIDE, tmp_path, metadata)
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


def test_a_model_of_others_is_refused(tiny, tmp_path):
    converter = tf.lite.TFLiteConverter.from_keras_model(tiny.network)
    (tmp_path / "other.tflite").write_bytes(converter.convert())
    with pytest.raises(InputError, match=r"other\.tflite: not a model that export\.py wrote"):
        LiteRtDetector(tmp_path / "other.tflite")


def test_the_first_layers_alone_stay_in_float():
    first = ["subtract_mean", "stem_conv", "stage1_block5_pointwise_act"]
    paths = [*first, "stage2_block1_depthwise_conv", "pyramid1_lateral_conv"]
    kept = [path for path in paths if IN_FLOAT.search(f"retinaface/{path}_1/Add")]
    assert kept == first


def test_a_face_too_large_for_a_pass_over_the_square_is_found_in_a_coarser_one(config, tmp_path):
    # The square of 128 shows the image at half its size, its last pass at an eighth: a cell.
    # The filling below the image is no face: 123 of 200 is below the threshold.
    limits = DetectorConfig(score_threshold=0.7, max_detections=5)
    squares = replace(config, anchors=ANCHORS_OF_SQUARES, detector=limits)
    detector = GraphDetector(BrightSquares(16), squares)
    metadata = collect_metadata(detector, "test")
    file, _ = write_litert(detector.network, 128, tmp_path, metadata)
    image = np.zeros((256, 256, 3), np.uint8)
    image[:128, 128:] = 180
    found = LiteRtDetector(file)
    assert found.plan_passes(256, 256) == (0, 2)
    np.testing.assert_allclose(found.detect(image).boxes, [[128, 0, 256, 128]], atol=1e-2)
