"""Detectors by whatever names their weights: all find the same faces."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from tiny_network import noise
from torch_files import write_torch_zip

from retinaface_tf.config import Config, ModelConfig
from retinaface_tf.config_file import load_config
from retinaface_tf.detections import Detections
from retinaface_tf.errors import InputError
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.weights.files import save_weights
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS, named_weights
from retinaface_tf.runtimes.opening import find_config, open_detector, open_exported

PIXELS = noise(1, 96, 96)[0]  # as LiteRT has it, which resizes nothing then
GATES = {"boxes": 1e-2, "scores": 1e-4, "landmarks": 1e-2}
MOBILENET = ModelConfig(backbone="mobilenet025")


def assert_same(faces: Detections, expected: Detections, gates: dict[str, float] = GATES) -> None:
    assert len(faces) == len(expected) > 0
    for name, gate in gates.items():
        np.testing.assert_allclose(
            getattr(faces, name), getattr(expected, name), rtol=0, atol=gate, err_msg=name
        )


@pytest.fixture(scope="module")
def mobilenet(made_up_network):
    return made_up_network("mobilenet025")


@pytest.fixture(scope="module")
def theirs(made_up_state, mobilenet, tmp_path_factory) -> Path:
    """Returns made-up weights in a file of PyTorch."""
    file = tmp_path_factory.mktemp("theirs") / "mobilenet025.pth"
    write_torch_zip(file, made_up_state(mobilenet))
    return file


@pytest.fixture(scope="module")
def run(mobilenet, tmp_path_factory) -> Path:
    """Returns a run that was moved here: one checkpoint, and no best weights."""
    folder = tmp_path_factory.mktemp("elsewhere") / "moved"
    (folder / "checkpoints").mkdir(parents=True)
    config = load_config("mobilenet025", ["train.workdir=runs/before", "train.seed=77"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config.as_dict()))
    state = 'model_checkpoint_path: "step-2"\nall_model_checkpoint_paths: "step-2"\n'
    (folder / "checkpoints" / "checkpoint").write_text(state)
    save_weights(mobilenet, folder / "checkpoints" / "step-2.weights.h5")
    return folder


@pytest.fixture(scope="module")
def expected(mobilenet) -> Detections:
    """Detects with the network, called as evaluation calls it."""
    config = replace(Config(), model=MOBILENET)
    batch = GraphDetector(mobilenet, config)(PIXELS[None])
    return Detections.of_image(batch, 0)


EXACT = dict.fromkeys(GATES, 0.0)


def test_weights_of_others_and_ours_and_a_moved_run_give_the_same_faces(
    theirs, run, expected, mobilenet, tmp_path
):
    save_weights(mobilenet, tmp_path / "ours.weights.h5")
    for source in (theirs, tmp_path / "ours.weights.h5", run, str(run)):
        faces = open_detector(source).detect(PIXELS, score_threshold=0)
        assert_same(faces, expected, EXACT)


def test_the_best_weights_of_a_run_are_taken_once_it_measured_ap(run, tmp_path, mobilenet):
    folder = shutil.copytree(run, tmp_path / "run")
    assert open_detector(folder).source == str(folder / "checkpoints" / "step-2.weights.h5")
    save_weights(mobilenet, folder / "best.weights.h5")
    (folder / "best.json").write_text(json.dumps({"step": 1, "ap": {}, "last_measured": 2}))
    assert open_detector(folder).source == str(folder / "best.weights.h5")


def test_weights_have_the_config_of_the_run_around_them_or_else_that_of_their_backbone(run, theirs):
    for source in (run, run / "checkpoints" / "step-2.weights.h5"):
        config = load_config(*find_config(source))
        assert (config.train.seed, config.train.workdir) == (77, str(run))
    assert load_config(*find_config(theirs)) == load_config("mobilenet025")


def test_named_weights_have_their_own_config_whose_results_do_not_go_into_the_package():
    named = named_weights()[DEFAULT_WEIGHTS]
    for source in (DEFAULT_WEIGHTS, named.file):
        config = load_config(*find_config(source))
        assert config == load_config(named.config)
        assert not Path(config.evaluation_folder).is_absolute()


@pytest.mark.parametrize(
    ("tensor", "backbone"),
    [
        ("body.layer1.0.conv3.weight", "resnet50"),
        ("body.layer1.2.conv1.weight", "resnet34"),
        ("body.features.0.0.weight", "mobilenetv2"),
    ],
)
def test_a_backbone_is_told_by_its_tensors(tmp_path, tensor, backbone):
    write_torch_zip(tmp_path / "a.pth", {tensor: np.zeros(3, np.float32)})
    config = load_config(*find_config(tmp_path / "a.pth"))
    assert config.model.backbone == backbone
    assert config.optimizer == load_config("res50").optimizer
    with pytest.raises(InputError, match=backbone):
        open_detector(tmp_path / "a.pth", load_config("mobilenet025"))


def test_a_config_that_contradicts_the_tensors_is_refused_with_both_names(theirs, run):
    for source in (theirs, run):
        with pytest.raises(InputError, match=r"mobilenet025") as error:
            open_detector(source, Config())
        assert "resnet50" in str(error.value)


def test_an_exported_model_answers_alike_by_its_folder_its_version_and_its_file(
    tiny, saved_model, onnx_file, litert_files
):
    expected = Detections.of_image(tiny(PIXELS[None]), 0)
    litert = litert_files["float32"]
    sources = [saved_model, onnx_file.parent, onnx_file, litert.parent, litert]
    for source in [*sources, *(path.parents[0] for path in (saved_model,)), onnx_file.parents[1]]:
        detector = open_exported(source)
        faces = detector.detect(PIXELS, score_threshold=0)
        assert_same(faces, expected)
        assert detector.config.detector.max_detections == tiny.config.detector.max_detections


def test_files_arrays_and_pictures_are_all_looked_at(onnx_file, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    detector = open_detector(onnx_file)
    expected = detector.detect(PIXELS)
    for image in (str(tmp_path / "a.png"), tmp_path / "a.png", Image.fromarray(PIXELS)):
        assert_same(detector.detect(image), expected, EXACT)


def test_thresholds_hold_alike_in_all_runtimes(tiny, saved_model, onnx_file, litert_files):
    given = {"score_threshold": 0.6, "nms_iou": 0.2}
    expected = Detections.of_image(tiny(PIXELS[None], **given), 0)
    for source in (saved_model, onnx_file, litert_files["float32"]):
        batch = open_detector(source)(PIXELS[None], **given)
        assert_same(Detections.of_image(batch, 0), expected)


def test_two_threads_may_share_a_detector(saved_model, onnx_file, litert_files):
    images = [noise(1, 96, 96)[0], np.rot90(PIXELS), np.fliplr(PIXELS)] * 4
    for source in (saved_model, onnx_file, litert_files["float32"]):
        detector = open_detector(source)
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(detector.detect, images))
        for faces, image in zip(together, images, strict=True):
            assert_same(faces, detector.detect(image))


def test_batches_give_what_single_images_give(saved_model, onnx_file, litert_files):
    images = [PIXELS, np.fliplr(PIXELS), PIXELS[:64], PIXELS[:, :50]]
    for source in (saved_model, onnx_file, litert_files["float32"]):
        detector = open_detector(source)
        for faces, image in zip(detector.detect_batch(images), images, strict=True):
            assert_same(faces, detector.detect(image))


@pytest.mark.parametrize("name", ["none.onnx", "none.tflite", "none.pth", "."])
def test_what_is_not_there_is_named(tmp_path, name):
    with pytest.raises(InputError, match=str(tmp_path / name)):
        open_detector(tmp_path / name)


def test_weights_are_no_exported_model(theirs):
    with pytest.raises(InputError, match=r"mobilenet025\.pth.*export\.py"):
        open_exported(theirs)


def test_onnx_and_litert_need_no_tensorflow(onnx_file, litert_files):
    code = (
        "import sys, numpy, retinaface_tf;"
        "image = numpy.zeros((96, 96, 3), numpy.uint8);"
        "[retinaface_tf.load_detector(model).detect(image) for model in sys.argv[1:]];"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    files = [onnx_file, litert_files["float32"]]
    subprocess.run([sys.executable, "-c", code, *files], check=True, timeout=120)
