"""ONNX by onnxruntime, beside the GraphDetector that it was made of."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from bright_cells import ANCHORS_OF_CELLS, BrightCells, thousand_faces
from exported_models import ROOM
from tiny_network import noise, tiny_detector

from retinaface_tf.config import DetectorConfig
from retinaface_tf.errors import InputError
from retinaface_tf.export.onnx import OPSET, write_onnx
from retinaface_tf.export.provenance import collect_metadata
from retinaface_tf.extras import import_extra
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.runtimes.network import NetworkDetector
from retinaface_tf.runtimes.onnx import OnnxDetector
from retinaface_tf.structures import DetectionBatch


def assert_same(found, expected):
    np.testing.assert_array_equal(found.num_detections, expected.num_detections)
    assert (found.num_detections > 5).all()
    for name, tolerance in {"boxes": 1e-2, "scores": 1e-4, "landmarks": 1e-2}.items():
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance
        )


def onnxruntime_answer(file, images):
    return OnnxDetector(file)(images)


def openvino_answer(file, images):
    openvino = pytest.importorskip("openvino")
    # On CPUs that have bfloat16, it would round to that.
    model = openvino.compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = model({"images": images})
    return DetectionBatch(*(answer[name] for name in DetectionBatch._fields))


# Of these sizes no side divides by 8, one does, both do, and one is a single pixel.
@pytest.mark.parametrize("size", [(75, 101), (64, 95), (96, 128), (1, 300)])
def test_one_file_answers_as_the_detector_for_images_of_any_size(tiny, onnx_file, size):
    images = noise(1, *size)
    assert_same(OnnxDetector(onnx_file)(images), tiny(images))


def test_images_of_a_batch_are_answered_each(tiny, onnx_file):
    images = noise(3, 40, 48)
    found = OnnxDetector(onnx_file)(images)
    assert len(set(found.num_detections.tolist())) > 1
    assert_same(found, tiny(images))


def test_anchors_of_a_whole_image_are_compared_with_no_region(onnx_file):
    # It takes 2 % of the time; only tiles have a region.
    operators = {node.op_type for node in onnx.load(onnx_file).graph.node}
    assert "GreaterOrEqual" not in operators


def test_the_answer_is_in_pixels_of_the_image_before_it_was_resized(onnx_file):
    images = noise(1, 64, 64)
    found, halved = OnnxDetector(onnx_file)(images), OnnxDetector(onnx_file)(images, 2.0)
    np.testing.assert_array_equal(halved.boxes * 2, found.boxes)
    np.testing.assert_array_equal(halved.landmarks * 2, found.landmarks)


def test_a_large_image_gets_the_answer_of_all_passes(tiny, onnx_file):
    images = noise(1, 700, 1400)
    detector = OnnxDetector(onnx_file)
    assert detector.plan_passes(700, 1400) == (0, 1)
    [found] = detector.detect_together(images)
    [expected] = NetworkDetector(tiny.network, tiny.config).detect_together(images)
    assert len(found) == len(expected) > 20
    assert_same(found.as_batch(), expected.as_batch())


@pytest.mark.parametrize("shape", [(0, 64, 64, 3), (2, 0, 0, 3), (1, 0, 5, 3)])
def test_no_images_and_images_without_pixels_have_no_detections(onnx_file, shape):
    found = OnnxDetector(onnx_file)(np.zeros(shape, np.uint8))
    assert found.boxes.shape == (shape[0], ROOM, 4)
    assert not found.num_detections.any()


@pytest.mark.parametrize("answer", [onnxruntime_answer, openvino_answer])
def test_nothing_above_the_threshold_is_an_answer_of_zeros(config, tmp_path, answer):
    limits = replace(config.detector, score_threshold=1.0)
    silent = tiny_detector(replace(config, detector=limits))
    file = write_onnx(silent, tmp_path, collect_metadata(silent, "test"))
    found = answer(file, noise(1, 64, 64))
    assert found.boxes.shape == (1, limits.max_detections, 4)
    assert not any(part.any() for part in found)


def test_of_a_thousand_faces_the_best_750_are_told(config, tmp_path):
    crowd = replace(config, anchors=ANCHORS_OF_CELLS, detector=DetectorConfig())
    detector = GraphDetector(BrightCells(16, certain=256), crowd)
    file = write_onnx(detector, tmp_path, collect_metadata(detector, "test"))
    image, best = thousand_faces(cell=16)
    found = OnnxDetector(file)(image)
    assert found.num_detections.tolist() == [750]
    np.testing.assert_allclose(found.scores[0], best, rtol=1e-5)


def test_a_model_without_such_inputs_keeps_its_own_thresholds(onnx_file, tmp_path):
    model = onnx.load(onnx_file)
    del model.graph.input[1:]
    onnx.save(model, tmp_path / "old.onnx")
    detector, images = OnnxDetector(tmp_path / "old.onnx"), noise(1, 64, 96)
    assert_same(detector(images), OnnxDetector(onnx_file)(images))
    with pytest.raises(InputError, match=r"old\.onnx: .*nms_iou"):
        detector(images, nms_iou=0.2)


def axes(values):
    """Names and lengths of the axes by the name of a graph's input or output, in order."""
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in values
    }


def test_inputs_and_outputs_are_in_the_documented_order_and_their_axes_have_names(onnx_file):
    graph = onnx.load(onnx_file).graph
    assert axes(graph.input) == {
        "images": ["batch", "height", "width", 3],
        "score_threshold": [1],
        "nms_iou": [1],
    }
    assert list(axes(graph.output).items()) == [
        ("boxes", ["batch", ROOM, 4]),
        ("scores", ["batch", ROOM]),
        ("landmarks", ["batch", ROOM, 5, 2]),
        ("num_detections", ["batch"]),
    ]


def test_the_file_is_plain_onnx_of_todays_operators_without_loops(tiny, onnx_file):
    model = onnx.load(onnx_file)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == OPSET >= 23
    assert model.ir_version == 11  # of opset 23: onnx, docs/Versioning.md
    assert {node.domain for node in model.graph.node} == {""}
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("NonMaxSuppression") == 1
    assert not {"Loop", "If", "Scan"} & set(operators)
    assert OnnxDetector(onnx_file).metadata.config == tiny.config.as_dict()


@pytest.mark.parametrize("size", [(3, 40, 48), (1, 75, 101)])
def test_openvino_answers_as_the_detector(tiny, onnx_file, size):
    assert_same(openvino_answer(onnx_file, noise(*size)), tiny(noise(*size)))


@pytest.mark.parametrize("content", [None, b"", b"no model" * 100])
def test_what_is_no_model_is_named(tmp_path, content):
    file = tmp_path / "a.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.onnx: not a model that export\.py wrote"):
        OnnxDetector(file)


def test_a_model_of_others_is_refused(onnx_file, tmp_path):
    model = onnx.load(onnx_file)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"other\.onnx: not a model that export\.py wrote"):
        OnnxDetector(tmp_path / "other.onnx")


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(InputError, match=r"no_such_package.*pip install 'retinaface-tf\[onnx\]'"):
        import_extra("no_such_package", "onnx")
