"""Checkpoints of MindSpore: what it saved itself (`tests/vectors`), older files, broken files."""

import re
import time

import numpy as np
import pytest
from conftest import VECTORS

from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.mindspore_file import Checkpoint, read_mindspore_checkpoint

# Of each parameter the type, the shape and the first value; the next ones go up in eighths.
PARAMETERS = {
    "network.base.conv1.weight": ("float32", (2, 3, 3, 3), 1),
    "network.base.bn1.gamma": ("float32", (2,), 2),
    "network.base.bn1.beta": ("float32", (2,), 3),
    "network.half": ("float16", (4,), 4),
    "network.base.bn1.moving_mean": ("float32", (2,), 5),
    "network.base.bn1.moving_variance": ("float32", (2,), 6),
    "global_step": ("int32", (1,), 7),
    "momentum": ("float32", (), 8),
    "accum.network.base.conv1.weight": ("float32", (2, 3, 3, 3), 9),
    "accum.network.base.bn1.gamma": ("float32", (2,), 10),
    "accum.network.base.bn1.beta": ("float32", (2,), 11),
    "stat.network.base.conv1.weight": ("float32", (2, 3, 3, 3), 12),
    "stat.network.base.bn1.gamma": ("float32", (2,), 13),
    "stat.network.base.bn1.beta": ("float32", (2,), 14),
    "learning_rate": ("float32", (3,), 15),
}
APPENDED = {
    "epoch_num": ("int64", 3),
    "rate": ("float32", 0.125),
    "finished": ("bool", True),
    "note": ("<U11", "drawn faces"),
    "brain": ("bfloat16", [1, 1.125, -2.5]),
}


@pytest.fixture(scope="module")
def tiny():
    return read_mindspore_checkpoint(VECTORS / "mindspore_tiny.ckpt")


@pytest.fixture
def written(tmp_path):
    """Writes bytes, or tensors each given as name, shape, type and content."""

    def write(*tensors, content=None):
        checkpoint = Checkpoint()
        for name, shape, kind, values in tensors:
            tensor = {"dims": shape, "tensor_type": kind, "tensor_content": values}
            checkpoint.value.add(tag=name, tensor=tensor)
        path = tmp_path / "made.ckpt"
        path.write_bytes(checkpoint.SerializeToString() if content is None else content)
        return path

    return write


def test_all_names_are_read_in_the_files_order(tiny):
    assert list(tiny) == [*PARAMETERS, *APPENDED]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_the_type_shape_and_values_that_mindspore_saved(name, tiny):
    dtype, shape, first = PARAMETERS[name]
    assert (tiny[name].dtype, tiny[name].shape) == (dtype, shape)
    np.testing.assert_array_equal(tiny[name].ravel(), first + np.arange(tiny[name].size) / 8)


@pytest.mark.parametrize("name", APPENDED)
def test_what_a_user_appended_is_read_too(name, tiny):
    dtype, value = APPENDED[name]
    assert tiny[name].dtype == dtype
    assert tiny[name].tolist() == value


def test_kernels_stay_out_in_height_width():
    sliced = read_mindspore_checkpoint(VECTORS / "mindspore_tiny_sliced.ckpt")
    assert sliced["weight"].shape == (16, 3, 3, 7)


def test_slices_of_a_tensor_are_joined_and_a_checksum_is_passed_over():
    path = VECTORS / "mindspore_tiny_sliced.ckpt"
    content, checksum = path.read_bytes()[:-17], path.read_bytes()[-17:]
    assert checksum.startswith(b"crc_num")
    assert [value.tag for value in Checkpoint.FromString(content).value] == ["weight"] * 4 + [
        "bias"
    ]
    sliced = read_mindspore_checkpoint(path)
    np.testing.assert_array_equal(sliced["weight"].ravel(), np.arange(16 * 3 * 3 * 7) / 8)
    np.testing.assert_array_equal(sliced["bias"], np.arange(16) / 8)


def test_a_scalar_is_one_also_where_older_mindspore_called_its_shape_0(written):
    momentum = np.float32(0.9)
    read = read_mindspore_checkpoint(written(("momentum", [0], "Float32", momentum.tobytes())))
    assert read["momentum"].shape == ()
    assert read["momentum"] == momentum


@pytest.mark.parametrize(("shape", "kind"), [((0, 4), "Float32"), ((0,), "Int8"), ((0,), "str")])
def test_an_empty_tensor_stays_empty(shape, kind, written):
    read = read_mindspore_checkpoint(written(("none", shape, kind, b"")))
    assert read["none"].shape == shape


UNPARSED = "cannot be parsed (cut, encrypted, another format?); expected a checkpoint"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "holds no tensors; expected a checkpoint", id="empty"),
        pytest.param(b"not protobuf at all", UNPARSED, id="text"),
        pytest.param(b"PK\3\4\x14\0\0\0\x08\0", UNPARSED, id="zip of PyTorch"),
        pytest.param(b"\x89HDF\r\n\x1a\n", UNPARSED, id="HDF5 of Keras"),
        # What save_checkpoint(enc_key=...) begins with.
        pytest.param(b"\xd8^:\x7f<\xd6\xa8\xad\x91\xd4gl/\xeb\xd5\x19", UNPARSED, id="encrypted"),
        # ONNX, which is protobuf too: its version, 8.
        pytest.param(b"\x08\x08", "holds no tensors; expected a checkpoint", id="other protobuf"),
        # Values: one without anything, one whose name is no text.
        pytest.param(b"\n\0", UNPARSED, id="no name"),
        pytest.param(b"\n\3\n\1\xff", UNPARSED, id="name of no text"),
        # A name, then a map (field 3) instead of a tensor.
        pytest.param(b"\n\5\n\1a\x1a\0", "'a' is a hash table; expected a tensor", id="map"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_answered_by_one_line(content, message, written):
    path = written(content=content)
    with pytest.raises(InputError, match=rf"\A{re.escape(f'{path}: {message}')}.*\Z"):
        read_mindspore_checkpoint(path)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (
            ("a", [2], "Float32", bytes(7)),
            "'a' has 7 bytes; expected those of Float32 of shape (2,)",
        ),
        (("a", [], "Int64", b""), "'a' has 0 bytes; expected those of Int64 of shape ()"),
        (
            ("a", [-1, -2], "Int8", bytes(2)),
            "'a' has 2 bytes; expected those of Int8 of shape (-1,",
        ),
        (("a", [2], "Int4", bytes(1)), "'a' is of type 'Int4'; expected one of Bool, Int8, "),
        (("a", [0], "str", bytes(7)), "'a' has 7 bytes; expected those of str of shape ()"),
        (("a\nb", [2], "Int8", b""), r"'a\nb' has 0 bytes; expected those of Int8 of shape (2,)"),
    ],
)
def test_a_tensor_that_is_not_whole_is_answered_by_one_line(tensor, message, written):
    path = written(("whole", [1], "Int8", b"1"), tensor)
    with pytest.raises(InputError, match=rf"\A{re.escape(f'{path}: {message}')}.*\Z"):
        read_mindspore_checkpoint(path)


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(("a", [127] * 2_000_000, "Int8", b""), id="dimensions"),
        pytest.param(("a", [1], "T" * 1_000_000, b""), id="type"),
        pytest.param(("a" * 1_000_000, [1], "Int8", b""), id="name"),
        pytest.param(("a", [0, 2**62, 2**62], "Int8", b""), id="shape of nothing"),
    ],
)
def test_long_heads_are_refused_at_once_in_a_short_line(tensor, written):
    start = time.process_time()
    with pytest.raises(InputError) as error:
        read_mindspore_checkpoint(written(tensor))
    assert len(str(error.value)) < 600
    assert time.process_time() - start < 5


@pytest.mark.parametrize("size", [1, 40, 200, 1562])  # of 1563; the first tensor ends at 269
def test_a_file_cut_inside_a_tensor_is_refused(size, written):
    path = written(content=(VECTORS / "mindspore_tiny.ckpt").read_bytes()[:size])
    with pytest.raises(InputError, match=rf"\A{re.escape(f'{path}: {UNPARSED}')}.*\Z"):
        read_mindspore_checkpoint(path)


def test_a_file_cut_between_two_slices_is_refused(written):
    path = written(("a", [4], "Float32", bytes(8)))
    with pytest.raises(
        InputError, match=r"'a' has 8 bytes; expected those of Float32 of shape \(4"
    ):
        read_mindspore_checkpoint(path)


def test_a_missing_file_is_said_with_its_name(tmp_path):
    with pytest.raises(InputError, match=r"\A\S+none\.ckpt: No such file.*; expected.*\Z"):
        read_mindspore_checkpoint(tmp_path / "none.ckpt")
