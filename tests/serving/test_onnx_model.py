"""ONNX by onnxruntime, beside the Detector that it was made of."""

import numpy as np
import onnx
import pytest
from tiny_network import noise, tiny_detector

from retinaface_tf.errors import InputError
from retinaface_tf.serving.onnx_model import OPSET, OnnxDetector, write_onnx


@pytest.fixture(scope="module")
def exported(config, tmp_path_factory):
    """A detector, and the file that it became."""
    detector = tiny_detector(config)
    metadata = {"config": config.as_dict()}
    return detector, write_onnx(detector, tmp_path_factory.mktemp("onnx"), metadata)


def assert_same(found, expected):
    np.testing.assert_array_equal(found.num_detections, expected.num_detections)
    assert (found.num_detections > 5).all()
    for name, tolerance in {"boxes": 1e-2, "scores": 1e-4, "landmarks": 1e-2}.items():
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance
        )


# Of these sizes no side divides by 8, one does, both do, and one is a single pixel.
@pytest.mark.parametrize("size", [(75, 101), (64, 95), (96, 128), (1, 300)])
def test_one_file_answers_as_the_detector_for_images_of_any_size(exported, size):
    detector, file = exported
    images = noise(1, *size)
    assert_same(OnnxDetector(file)(images), detector(images))


def test_images_of_a_batch_are_answered_each(exported):
    detector, file = exported
    images = noise(3, 90, 70)
    found = OnnxDetector(file)(images)
    assert len(set(found.num_detections.tolist())) > 1
    assert_same(found, detector(images))


def test_the_answer_is_in_pixels_of_the_image_before_it_was_resized(exported):
    _, file = exported
    images = noise(1, 64, 64)
    found, halved = OnnxDetector(file)(images), OnnxDetector(file)(images, 2.0)
    np.testing.assert_array_equal(halved.boxes * 2, found.boxes)
    np.testing.assert_array_equal(halved.landmarks * 2, found.landmarks)


@pytest.mark.parametrize("shape", [(0, 64, 64, 3), (2, 0, 0, 3), (1, 0, 5, 3)])
def test_no_images_and_images_without_pixels_have_no_detections(exported, shape):
    found = OnnxDetector(exported[1])(np.zeros(shape, np.uint8))
    most = exported[0].config.detector.max_detections
    assert found.boxes.shape == (shape[0], most, 4)
    assert not found.num_detections.any()


def test_nothing_above_the_threshold_is_an_answer_of_zeros(config, tmp_path):
    silent = tiny_detector(config)
    (bias,) = [v for v in silent.network.variables if v.path.endswith("bias") and v.shape == (4,)]
    bias.assign([50.0, -50.0] * 2)
