"""What a path means, by what lies there."""

from pathlib import Path

import pytest

from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS, named_weights
from retinaface_tf.runtimes.locate import Kind, ModelPath, find_model, run_of, versions


def touch(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("a.onnx", Kind.ONNX),
        ("a.tflite", Kind.LITERT),
        ("a.pth", Kind.WEIGHTS),
        ("run/best.weights.h5", Kind.WEIGHTS),
        ("timm/resnet50.tv_in1k", Kind.WEIGHTS),
    ],
)
def test_a_name_that_is_no_folder_is_told_by_its_suffix(source, kind):
    assert find_model(source) == ModelPath(kind, Path(source))


@pytest.mark.parametrize("file", ["config.yaml", "checkpoints/checkpoint"])
def test_a_run_is_told_by_its_config_or_its_checkpoints(tmp_path, file):
    touch(tmp_path / file)
    assert find_model(tmp_path) == ModelPath(Kind.RUN, tmp_path)


@pytest.mark.parametrize(
    ("file", "kind", "found"),
    [
        ("saved_model.pb", Kind.SAVED_MODEL, ""),
        ("model.onnx", Kind.ONNX, "model.onnx"),
        ("model_float32.tflite", Kind.LITERT, "model_float32.tflite"),
    ],
)
def test_a_models_folder_is_its_newest_version_and_a_version_is_itself(tmp_path, file, kind, found):
    for version in ("2", "10"):
        touch(tmp_path / version / file)
    assert find_model(tmp_path) == ModelPath(kind, tmp_path / "10" / found)
    assert find_model(tmp_path / "2") == ModelPath(kind, tmp_path / "2" / found)


def test_of_several_precisions_the_exact_one_is_taken(tmp_path):
    for precision in ("float16", "float32", "int8"):
        touch(tmp_path / f"model_{precision}.tflite")
    assert find_model(tmp_path).path.name == "model_float32.tflite"


def test_a_name_of_the_table_is_its_file_unless_a_path_of_that_name_holds_a_model(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    file = named_weights()[DEFAULT_WEIGHTS].file
    assert find_model(DEFAULT_WEIGHTS) == ModelPath(Kind.WEIGHTS, file)
    touch(tmp_path / DEFAULT_WEIGHTS / "photo.jpg")
    assert find_model(DEFAULT_WEIGHTS) == ModelPath(Kind.WEIGHTS, file)
    touch(tmp_path / DEFAULT_WEIGHTS / "config.yaml")
    assert find_model(DEFAULT_WEIGHTS) == ModelPath(Kind.RUN, Path(DEFAULT_WEIGHTS))


def test_another_folder_is_refused(tmp_path):
    touch(tmp_path / "notes.txt")
    with pytest.raises(InputError, match=str(tmp_path)):
        find_model(tmp_path)


def test_weights_belong_to_the_run_around_them(tmp_path):
    touch(tmp_path / "config.yaml")
    assert run_of(tmp_path / "best.weights.h5") == tmp_path
    assert run_of(tmp_path / "checkpoints" / "step-2.weights.h5") == tmp_path
    assert run_of(tmp_path / "other" / "a.weights.h5") is None


def test_versions_are_numbers_in_their_order(tmp_path):
    for name in ("10", "9", "x", ".writing-1"):
        (tmp_path / name).mkdir()
    touch(tmp_path / "11")
    assert [path.name for path in versions(tmp_path)] == ["9", "10"]
