"""MATLAB 5 files: values as SciPy wrote them; whatever is damaged is a ValueError, no crash."""

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from retinaface_tf.evaluation.mat_file import MAX_BYTES, read_mat


def cell(*values):
    """Returns a MATLAB cell [n, 1]."""
    made = np.empty((len(values), 1), object)
    made[:, 0] = values
    return made


VARIABLES = {
    "names": cell("0--Parade", "b.c", "Jürgen"),
    "numbers": cell(np.array([[1, 2, 3], [4, 5, 6]], np.int32), np.array([[-2.5]])),
    "nested": cell(cell(np.zeros((0, 4), np.uint8), np.array([[7, 8]], np.uint16)), cell()),
    "other": np.arange(6.0),
}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compressed"])
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    savemat(path, VARIABLES, do_compression=request.param)
    return path


def test_text_numbers_and_cells_are_read(file):
    found = read_mat(file, ["names", "numbers", "nested", "missing"])
    assert list(found) == ["names", "numbers", "nested"]
    assert found["names"] == ["0--Parade", "b.c", "Jürgen"]
    assert [part.tolist() for part in found["numbers"]] == [[[1, 2, 3], [4, 5, 6]], [[-2.5]]]
    (empty, row), none = found["nested"]
    assert empty.shape == (0, 4)
    assert row.tolist() == [[7, 8]]
    assert none == []


def test_every_cut_is_a_value_error_or_leaves_variables_out(file, tmp_path):
    data, cut = file.read_bytes(), tmp_path / "cut.mat"
    for end in range(0, len(data) - 1, 7):
        cut.write_bytes(data[:end])
        with suppress(ValueError):
            assert len(read_mat(cut, VARIABLES)) < len(VARIABLES)


@given(st.data())
@settings(max_examples=300)
def test_whatever_is_damaged_is_read_or_a_value_error(file, tmp_path_factory, data):
    content = bytearray(file.read_bytes())
    places = st.integers(0, len(content) - 4)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        value = data.draw(st.sampled_from([0, 1, 14, 15, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]))
        content[place : place + 4] = struct.pack("<I", value)
    damaged = tmp_path_factory.getbasetemp() / "damaged.mat"
    damaged.write_bytes(content)
    with suppress(ValueError):
        assert set(read_mat(damaged, VARIABLES)) <= set(VARIABLES)


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content


def array(kind: int, shape: tuple[int, ...], content: bytes, name: bytes = b"") -> bytes:
    flags = element(6, struct.pack("<II", kind, 0))
    dimensions = element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, flags + dimensions + element(1, name.ljust(8, b"a")) + content)


HEADER = bytes(124) + b"\x00\x01IM"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(array(1, (1 << 30, 1 << 30), b""), id="2^60 cells"),
        pytest.param(array(6, (1 << 30, 4), element(9, bytes(8))), id="2^32 numbers"),
        pytest.param(array(6, (-1, -1), element(9, bytes(8))), id="a negative shape"),
        pytest.param(array(4, (1, 4), element(4, b"\0\xd8\0\xd8")), id="text that is none"),
        pytest.param(array(2, (1, 1), element(9, bytes(8))), id="a struct"),
        pytest.param(element(15, b"garbage!"), id="no compressed data"),
        pytest.param(element(15, zlib.compress(bytes(MAX_BYTES + 1), 9)), id="a bomb"),
        pytest.param(
            element(15, zlib.compress(bytes(MAX_BYTES))) + element(15, zlib.compress(bytes(9))),
            id="more once the limit is used up",
        ),
        pytest.param(element(15, zlib.compress(b"")), id="nothing compressed"),
    ],
)
def test_absurd_sizes_and_classes_are_refused(content, tmp_path):
    (tmp_path / "a.mat").write_bytes(HEADER + content)
    with pytest.raises(ValueError):  # noqa: PT011, of any message
        read_mat(tmp_path / "a.mat", ["aaaaaaaa"])


def test_a_thousand_cells_in_cells_do_not_exhaust_the_stack(tmp_path):
    content = array(6, (1, 1), element(9, bytes(8)))
    for _ in range(1000):
        content = array(1, (1, 1), content)
    (tmp_path / "a.mat").write_bytes(HEADER + content)
    with pytest.raises(ValueError):  # noqa: PT011
        read_mat(tmp_path / "a.mat", ["aaaaaaaa"])
