"""The table of formats, and the steps that all exports take."""

from dataclasses import replace

import pytest
from tiny_network import tiny_detector

from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.export import litert, onnx
from retinaface_tf.export.formats import FORMATS, export_model
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.serving.metadata import Metadata


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_each_format_has_a_folder_of_its_own_and_a_writer():
    assert len({entry.folder for entry in FORMATS.values()}) == len(FORMATS)
    assert all(callable(entry.load_writer()) for entry in FORMATS.values())


def test_the_command_offers_the_formats_of_the_table(command):
    done = command("export.py", "--format=none")
    assert done.returncode == 1
    assert all(name in done.stderr for name in FORMATS)


@pytest.mark.parametrize(
    ("fixture", "files"),
    [
        ("saved_model", ["fingerprint.pb", "saved_model.pb", "variables"]),
        ("onnx_file", ["model.onnx"]),
    ],
)
def test_a_version_has_its_files_and_metadata(request, tiny, fixture, files):
    made = request.getfixturevalue(fixture)
    version = made.parent if made.is_file() else made
    assert set(names(version)) >= {"assets.extra", *files}
    metadata = Metadata.load(version)
    assert metadata.source == "made-up weights"
    assert metadata.config == tiny.config.as_dict()
    assert metadata.parity["images"] == 2
    assert metadata.parity["common"] > 0
    assert metadata.parity["other"] == 0


def test_a_version_of_litert_has_a_file_and_parity_of_each_precision(litert_files):
    assert litert_files.keys() == {"float32", "float16", "int8"}
    version = litert_files["int8"].parent
    parity = Metadata.load(version).parity
    assert parity.keys() == litert_files.keys()
    assert parity["float32"]["common"] > 0
    assert parity["float32"]["other"] == 0


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_with_models_of_another_format_is_refused_and_left_alone(tiny, tmp_path, format):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.other").write_bytes(b"")
    with pytest.raises(InputError, match="--out"):
        export_model(tiny, tmp_path, format)
    assert names(tmp_path) == ["1"]


def test_an_export_that_answers_otherwise_is_no_version(tiny, tmp_path, monkeypatch):
    other = tiny_detector(tiny.config)
    other.network.set_weights([1.01 * weight for weight in tiny.network.get_weights()])
    write = onnx.write_onnx
    monkeypatch.setattr(onnx, "write_onnx", lambda _, *rest: write(other, *rest))
    with pytest.raises(DoesNotHold, match="ONNX"):
        export_model(tiny, tmp_path, "onnx")
    assert names(tmp_path) == []


def test_a_rounded_model_that_loses_ap_is_no_version(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(litert.MAX_AP_LOSS, "float16", -1.0)
    with pytest.raises(DoesNotHold, match=r"LiteRT, float16: .* -1\.0"):
        export_model(without_training_images(tiny), tmp_path, "litert")
    assert names(tmp_path) == []


def test_without_training_images_int8_is_left_out_and_said(tiny, tmp_path, caplog):
    version = export_model(without_training_images(tiny), tmp_path, "litert")
    assert names(version) == ["assets.extra", "model_float16.tflite", "model_float32.tflite"]
    assert "int8" in caplog.text


def without_training_images(detector):
    data = replace(detector.config.data, train_labels="none.txt")
    return GraphDetector(detector.network, replace(detector.config, data=data))
