"""Where weights come from: files of three kinds, and the hub's folder of downloads."""

import json
import sys

import numpy as np
import pytest
import safetensors.numpy
from conftest import VECTORS

from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.state_dict import find_file, read_state_dict

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Returns a folder of the hub's downloads with one repository; nothing is fetched."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--timm--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    safetensors.numpy.save_file({"conv1.weight": np.ones(3)}, snapshot / "model.safetensors")
    return snapshot


@pytest.mark.parametrize("file", ["torch_tiny.pth", "torch_tiny_old.pth"])
def test_tensors_of_pytorch_are_found_below_state_dict(torch_files, file):
    state = read_state_dict(torch_files / file)
    assert state.kind == "PyTorch"
    np.testing.assert_array_equal(state.tensors["part"], [0.5, 0.625])


def test_safetensors_are_read(tmp_path):
    weights = {"conv1.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    safetensors.numpy.save_file(weights, tmp_path / "model.safetensors")
    state = read_state_dict(tmp_path / "model.safetensors")
    assert state.kind == "safetensors"
    np.testing.assert_array_equal(state.tensors["conv1.weight"], weights["conv1.weight"])


def test_a_checkpoint_of_mindspore_is_read():
    state = read_state_dict(VECTORS / "mindspore_tiny.ckpt")
    assert state.kind == "MindSpore"
    assert state.tensors["network.base.conv1.weight"].shape == (2, 3, 3, 3)
    assert "note" not in state.tensors, "words are no weights"


@pytest.mark.parametrize("part", [0.2, 0.9])
def test_safetensors_cut_short_are_refused(tmp_path, part):
    safetensors.numpy.save_file({"a": np.ones(100)}, tmp_path / "whole.safetensors")
    content = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=r"cut\.safetensors: expected a whole safetensors file"):
        read_state_dict(tmp_path / "cut.safetensors")


def safetensors_of(header, numbers=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((2**40).to_bytes(8, "little") + b"{}", id="length of the header"),
        pytest.param(safetensors_of(b"{" + b'"a":{' * 10_000), id="depth"),
        pytest.param(
            safetensors_of(
                {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, b"1234"
            ),
            id="shape",
        ),
        pytest.param(
            safetensors_of(
                {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "abc"}, b"1234"
            ),
            id="overlap",
        ),
        pytest.param(
            safetensors_of(
                {"a": {"dtype": "F8_E8M0", "shape": [4], "data_offsets": [0, 4]}}, b"1234"
            ),
            id="type that NumPy does not have",
        ),
    ],
)
def test_safetensors_that_say_what_cannot_be_are_refused_in_one_line(tmp_path, content):
    (tmp_path / "made_up.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"made_up\.safetensors: ") as error:
        read_state_dict(tmp_path / "made_up.safetensors")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "x" * 1000])
def test_names_that_no_terminal_should_print_are_refused(tmp_path, name):
    safetensors.numpy.save_file({name: np.ones(3)}, tmp_path / "names.safetensors")
    with pytest.raises(InputError, match=r"names\.safetensors: expected names") as error:
        read_state_dict(tmp_path / "names.safetensors")
    assert str(error.value).isprintable()


@pytest.mark.parametrize("content", [b"", b"these are no weights at all"])
def test_a_file_of_no_known_kind_is_refused(tmp_path, content):
    (tmp_path / "notes.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.pth: expected a file of torch\.save"):
        read_state_dict(tmp_path / "notes.pth")


def test_a_file_without_tensors_is_refused(tmp_path):
    safetensors.numpy.save_file({}, tmp_path / "none.safetensors")
    with pytest.raises(InputError, match=r"none\.safetensors: expected tensors by name"):
        read_state_dict(tmp_path / "none.safetensors")


def test_a_file_of_keras_is_told_how_it_is_taken(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n and more")
    with pytest.raises(InputError, match=r"model\.h5: is a Keras file already.*\.weights\.h5"):
        read_state_dict(tmp_path / "model.h5")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="expected a weights file, found a folder"):
        find_file(tmp_path)


def test_a_typing_mistake_in_a_folder_that_is_there_is_no_name_of_the_hub():
    with pytest.raises(InputError, match="configs/mine: no such weights file"):
        find_file("configs/mine")


def test_without_the_hubs_library_its_names_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"timm/tiny: .*pip install 'retinaface-tf\[hub\]'"):
        find_file("timm/tiny")


@pytest.mark.parametrize("name", ["nothing", "weights/none.pth", "a/b/c", "timm/none.safetensors"])
def test_a_missing_file_is_said_with_its_name(name):
    with pytest.raises(InputError, match=f"{name}: no such weights file"):
        find_file(name)


def test_a_name_of_the_hub_stands_for_its_file(hub):
    assert find_file("timm/tiny") == hub / "model.safetensors"


def test_what_the_hub_does_not_give_is_one_line(hub):
    with pytest.raises(InputError, match="timm/none: neither a file nor a repository") as error:
        find_file("timm/none")
    assert "\n" not in str(error.value)
