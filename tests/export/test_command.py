"""Exports for other runtimes: of the whole network, compared with it, and run by the commands."""

import json
from dataclasses import replace

import pytest

from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.export import litert, onnx
from retinaface_tf.model.detector import Detector
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import save_weights

FILES = {
    "onnx": ["model.onnx"],
    "litert": ["model_float16.tflite", "model_float32.tflite", "model_int8.tflite"],
}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def small(detector):
    """The detector, whose LiteRT is of 96 pixels."""
    data = replace(detector.config.data, image_size=96)
    return Detector(detector.network, replace(detector.config, data=data))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "litert"])
def test_the_commands_export_and_evaluate_a_version(small, command, drawn, tmp_path, kind):
    weights, models = tmp_path / "made_up.weights.h5", tmp_path / "models"
    save_weights(small.network, weights)
    settings = [
        *("--cfg=configs/mobilenet025.yaml", f"--set=data.root={drawn}"),
        *("--set=data.image_size=96", "--set=export.parity_images=2"),
    ]
    done = command(
        "export.py", *settings, f"--weights={weights}", f"--format={kind}", f"--out={models}"
    )
    assert done.returncode == 0, done.stderr
    assert "2 images," in done.stderr
    assert names(models / "1") == ["assets.extra", *FILES[kind]]
    told = json.loads((models / "1" / "assets.extra" / "retinaface.json").read_text())
    parity = told["parity"] if kind == "onnx" else told["parity"]["float32"]
    assert parity["common"] > 0
    assert parity["other"] == 0
    for file in FILES[kind]:
        done = command(
            *("eval.py", *settings, "--protocol=vga", f"--out={tmp_path / 'eval'}"),
            f"--saved_model={models / '1' / file}",
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Easy   Val AP : ")


@pytest.mark.slow
def test_a_graph_that_answers_otherwise_is_no_version(small, tmp_path, monkeypatch):
    other = Detector(build_network(small.config), small.config)
    write = onnx.write_onnx
    monkeypatch.setattr(onnx, "write_onnx", lambda _, *rest: write(other, *rest))
    with pytest.raises(DoesNotHold, match="ONNX: answers otherwise than its source"):
        onnx.export_onnx(small, tmp_path, source="weights")
    assert names(tmp_path) == []


@pytest.mark.slow
def test_a_model_that_loses_ap_is_no_version(small, tmp_path, monkeypatch):
    monkeypatch.setitem(litert.MOST_LOST, "int8", -1.0)
    with pytest.raises(DoesNotHold, match=r"LiteRT, int8: loses .* of AP, expected at most"):
        litert.export_litert(small, tmp_path, source="weights")
    assert names(tmp_path) == []


@pytest.mark.slow
def test_without_training_images_int8_is_left_out_and_said(small, tmp_path, caplog):
    data = replace(small.config.data, train_labels="none.txt")
    without = Detector(small.network, replace(small.config, data=data))
    version = litert.export_litert(without, tmp_path, source="weights")
    assert names(version) == ["assets.extra", "model_float16.tflite", "model_float32.tflite"]
    assert "no int8, whose ranges training images give" in caplog.text


def test_a_folder_of_another_kind_of_model_is_refused(small, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"")
    for export in (onnx.export_onnx, litert.export_litert):
        with pytest.raises(InputError, match="take another --out"):
            export(small, tmp_path, source="weights")
    assert names(tmp_path) == ["1"]


def test_limits_are_needed(small, tmp_path):
    unlimited = Detector(small.network, small.config.exhaustive())
    for export in (onnx.export_onnx, litert.export_litert):
        with pytest.raises(InputError, match="expected numbers"):
            export(unlimited, tmp_path, source="weights")


def test_the_first_layers_alone_stay_in_float():
    first = ["subtract_mean", "stem_conv", "stage1_block5_pointwise_act"]
    paths = [*first, "stage2_block1_depthwise_conv", "pyramid1_lateral_conv"]
    kept = [path for path in paths if litert.IN_FLOAT.search(f"retinaface/{path}_1/Add")]
    assert kept == first
