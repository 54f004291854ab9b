"""ONNX by onnxruntime, beside the Detector that it was made of."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from bright_cells import ANCHORS_OF_CELLS, BrightCells, thousand_faces
from tiny_network import noise, tiny_detector

from retinaface_tf.config import DetectorConfig
from retinaface_tf.errors import InputError
from retinaface_tf.export.onnx import OPSET, write_onnx
from retinaface_tf.extras import import_extra
from retinaface_tf.model.detector import Detector
from retinaface_tf.runtimes.onnx import OnnxDetector


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
    limits = replace(config.detector, score_threshold=1.0)
    silent = tiny_detector(replace(config, detector=limits))
    file = write_onnx(silent, tmp_path, {"config": silent.config.as_dict()})
    found = OnnxDetector(file)(noise(1, 64, 64))
    assert found.boxes.shape == (1, limits.max_detections, 4)
    assert not any(part.any() for part in found)


def test_of_a_thousand_faces_the_best_750_are_told(config, tmp_path):
    crowd = replace(config, anchors=ANCHORS_OF_CELLS, detector=DetectorConfig())
    detector = Detector(BrightCells(16, certain=256), crowd)
    file = write_onnx(detector, tmp_path, {"config": crowd.as_dict()})
    image, best = thousand_faces(cell=16)
    found = OnnxDetector(file)(image)
    assert found.num_detections.tolist() == [750]
    np.testing.assert_allclose(found.scores[0], best, rtol=1e-5)


def test_the_file_is_plain_onnx_of_todays_operators_and_tells_what_it_is(exported, config):
    model = onnx.load(exported[1])
    domains = {entry.domain: entry.version for entry in model.opset_import}
    assert domains[""] == OPSET >= 23
    used = {node.domain for node in model.graph.node}
    assert used == {""}
    (images,) = model.graph.input
    assert images.name == "images"
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    outputs = {output.name for output in model.graph.output}
    assert outputs == {"boxes", "scores", "landmarks", "num_detections"}
    assert OnnxDetector(exported[1]).metadata == json.loads(
        json.dumps({"config": config.as_dict()})
    )


@pytest.mark.parametrize("content", [None, b"", b"no model" * 100])
def test_what_is_no_model_is_named(tmp_path, content):
    file = tmp_path / "a.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.onnx: not a model that export\.py wrote"):
        OnnxDetector(file)


def test_a_model_of_others_is_refused(exported, tmp_path):
    model = onnx.load(exported[1])
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"other\.onnx: not a model that export\.py wrote"):
        OnnxDetector(tmp_path / "other.onnx")


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(InputError, match=r"no_such_package.*pip install 'retinaface-tf\[onnx\]'"):
        import_extra("no_such_package", "onnx")
