"""PyTorch's files, read without PyTorch; `torch_files.py` draws two of them."""

import copy
import hashlib
import io
import os
import pickle
import time
import zipfile
from collections import Counter

import ml_dtypes
import numpy as np
import pytest
from torch_files import TENSORS

from retinaface_tf.errors import InputError
from retinaface_tf.model.weights import torch_pickle
from retinaface_tf.model.weights.torch_file import read_torch_file

FILES = ["torch_tiny.pth", "torch_tiny_old.pth"]
# Of the pickle that torch.save of PyTorch 2.13 wrote of TENSORS into its zip.
PICKLE = "d0f7c623c45a9c6bea6e7c24fc625e31f9e1e2d28bbf15c064f2a22c98036caf"


class Call:
    """Pickles as a call of a function, as an attack would."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def zip_with(pickled, **others):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in others.items():
            archive.writestr(f"archive/{name}", content)
    return stream.getvalue()


def tensor_of_four_numbers(*measures):
    """Returns a pickle as PyTorch's of {"a": a call with storage 0, offset, shape and strides}."""
    storage = b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\x04tQ"
    parts = b"".join(pickle.dumps(part, protocol=2)[2:-1] for part in measures)
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + parts + b"tR"
    return b"\x80\x02}Va\n" + call + b"s."


def test_the_drawn_file_holds_what_pytorch_wrote(torch_files):
    with zipfile.ZipFile(torch_files / "torch_tiny.pth") as archive:
        assert hashlib.sha256(archive.read("torch_tiny/data.pkl")).hexdigest() == PICKLE


@pytest.mark.parametrize("file", FILES)
def test_every_kind_of_tensor_is_read_as_pytorch_wrote_it(torch_files, file):
    tensors = read_torch_file(torch_files / file)
    assert tensors.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        found = tensors[name]
        assert found.dtype == expected.dtype, name
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused_in_one_line(torch_files, file, part, tmp_path):
    whole = (torch_files / file).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(
        InputError, match=r"cut\.pth: expected a whole file of torch\.save"
    ) as error:
        read_torch_file(tmp_path / "cut.pth")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrap", [bytes, zip_with])
def test_code_in_a_pickle_is_named_and_not_run(wrap, tmp_path):
    attack = pickle.dumps({"weight": Call(os.mkdir, str(tmp_path / "was here"))}, protocol=2)
    (tmp_path / "evil.pth").write_bytes(wrap(attack))
    with pytest.raises(InputError, match=r"evil\.pth.*calls (posix|nt)\.mkdir, which is not run"):
        read_torch_file(tmp_path / "evil.pth")
    assert not (tmp_path / "was here").exists()


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.pth", "w") as archive:
        archive.writestr("a.jpg", b"")
    with pytest.raises(InputError, match=r"photos\.pth.*without data\.pkl"):
        read_torch_file(tmp_path / "photos.pth")


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (5,), (1,)), (3, (2,), (1,)), (0, (2, 2), (3, 1)), (-1, (2,), (1,)), (0, (9,), (0,))],
)
def test_a_tensor_never_reaches_out_of_its_storage(offset, shape, strides, tmp_path):
    content = zip_with(tensor_of_four_numbers(offset, shape, strides), **{"data/0": bytes(16)})
    (tmp_path / "made_up.pth").write_bytes(content)
    with pytest.raises(InputError, match="outside its storage"):
        read_torch_file(tmp_path / "made_up.pth")


def test_a_tensor_within_its_storage_is_read(tmp_path):
    numbers = np.arange(4, dtype=np.float32).tobytes()
    content = zip_with(tensor_of_four_numbers(1, (3,), (1,)), **{"data/0": numbers})
    (tmp_path / "made_up.pth").write_bytes(content)
    np.testing.assert_array_equal(read_torch_file(tmp_path / "made_up.pth")["a"], [1, 2, 3])


@pytest.mark.parametrize(
    "target", [b"ctorch\nBFloat16Storage\n", b"ctorch._utils\n_rebuild_tensor_v2\n"]
)
def test_a_file_changes_nothing_that_is_there_already(target, tmp_path):
    before = np.dtype(ml_dtypes.bfloat16).itemsize, torch_pickle._rebuild_tensor.__defaults__
    # BUILD hands a state to what was named: here the layout of a number, and a function's parts.
    state = pickle.dumps((3, "|", None, None, None, 1, 1, 0), protocol=2)[2:-1]
    if b"rebuild" in target:
        state = pickle.dumps((None, {"__defaults__": (1, 2)}), protocol=2)[2:-1]
    (tmp_path / "evil.pth").write_bytes(zip_with(b"\x80\x02" + target + state + b"b0}."))
    assert read_torch_file(tmp_path / "evil.pth") == {}
    after = np.dtype(ml_dtypes.bfloat16).itemsize, torch_pickle._rebuild_tensor.__defaults__
    assert after == before


def test_compressed_zips_are_refused_as_they_may_be_of_any_size_in_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", tensor_of_four_numbers(0, (4,), (1,)))
        archive.writestr("archive/data/0", bytes(1_000_000))
    with pytest.raises(InputError, match=r"bomb\.pth.*compressed"):
        read_torch_file(tmp_path / "bomb.pth")


def test_what_a_scheduler_keeps_beside_the_weights_is_no_reason_to_refuse(tmp_path):
    content = {"scheduler": Counter([70, 90]), "epoch": 3}
    (tmp_path / "a.pth").write_bytes(zip_with(pickle.dumps(content, protocol=2)))
    assert read_torch_file(tmp_path / "a.pth") == {}


def test_big_endian_files_are_refused(tmp_path):
    content = zip_with(pickle.dumps({}, protocol=2), byteorder=b"big")
    (tmp_path / "big.pth").write_bytes(content)
    with pytest.raises(InputError, match="big-endian"):
        read_torch_file(tmp_path / "big.pth")


# Tuples of tuples, 60 deep: their hash, text or comparison takes 2**60 steps.
DEEP = b"K\x00" + b"\x85" + b"2\x86" * 60
STORAGE = b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\x04tQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n("


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(b"(" + DEEP + b"Vx\nVy\nVz\nK\x04tQ.", id="kind of a reference"),
        pytest.param(b"(Vstorage\n" + DEEP + b"V0\nVcpu\nK\x04tQ.", id="kind of storage"),
        pytest.param(
            b"(Vstorage\nctorch\nFloatStorage\n" + DEEP + b"Vcpu\nK\x04tQ.", id="name of storage"
        ),
        pytest.param(DEEP + b"Q.", id="reference"),
        pytest.param(b"}Va\n" + REBUILD + DEEP + b"K\x00))tRs.", id="storage of a tensor"),
        pytest.param(b"}Va\n" + REBUILD + STORAGE + DEEP + b"))tRs.", id="offset"),
        pytest.param(b"}Va\n" + REBUILD + STORAGE + b"K\x00" + DEEP + b")tRs.", id="shape"),
        pytest.param(
            b"}Va\n" + REBUILD + STORAGE + b"K\x00" + DEEP + b"\x85" + b"K\x01\x85tRs.", id="size"
        ),
        pytest.param(b"\x8f(" + DEEP + b"\x90.", id="set"),
        pytest.param(b"(" + DEEP + b"\x91.", id="frozen set"),
        pytest.param(b"\x96" + (2**40).to_bytes(8, "little") + b".", id="array of a terabyte"),
        pytest.param(b"ccollections\nOrderedDict\n" + DEEP + b"\x85R.", id="dictionary of pairs"),
    ],
)
@pytest.mark.parametrize("old", [True, False])
def test_a_small_pickle_that_would_take_for_ever_is_refused(pickled, old, tmp_path):
    system = pickle.dumps({"little_endian": True}, protocol=2)
    start = b"".join(pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001))
    pickled = b"\x80\x04" + pickled
    content = start + system + pickled if old else zip_with(pickled)
    (tmp_path / "bomb.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"bomb\.pth: ") as error:
        read_torch_file(tmp_path / "bomb.pth")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "items",
    [
        pytest.param(b"}" + DEEP + b"K\x01s", id="one item"),
        pytest.param(b"}(" + DEEP + b"K\x01u", id="several"),
        pytest.param(b"(" + DEEP + b"K\x01d", id="all at once"),
        pytest.param(b"ccollections\nOrderedDict\n(](" + DEEP + b"K\x01\x86etR", id="pairs"),
    ],
)
def test_keys_that_are_no_text_are_left_out_and_not_hashed(items, tmp_path):
    (tmp_path / "keys.pth").write_bytes(zip_with(b"\x80\x02" + items + b"."))
    assert read_torch_file(tmp_path / "keys.pth") == {}


def test_a_dictionary_asked_for_again_and_again_is_not_copied(tmp_path):
    many = b"}q\x00(" + b"".join(b"V%d\nN" % i for i in range(50_000)) + b"u"
    call = b"ccollections\nOrderedDict\nh\x00\x85R" * 20_000  # with the dictionary of memo 0
    (tmp_path / "copies.pth").write_bytes(zip_with(b"\x80\x02" + many + call + b"."))
    start = time.process_time()
    assert read_torch_file(tmp_path / "copies.pth") == {}
    assert time.process_time() - start < 5


def test_storages_in_the_room_of_one_are_refused(tmp_path):
    stream = io.BytesIO(zip_with(b"\x80\x02}.", **{"data/0": bytes(10_000)}))
    with zipfile.ZipFile(stream, "a") as archive:
        first = archive.getinfo("archive/data/0")
        for number in range(1, 50):
            again = copy.copy(first)
            again.filename = f"archive/data/{number}"
            archive.filelist.append(again)
        archive._didModify = True
    (tmp_path / "overlap.pth").write_bytes(stream.getvalue())
    with pytest.raises(InputError, match=r"overlap\.pth.*overlap"):
        read_torch_file(tmp_path / "overlap.pth")


def test_tensors_that_share_a_storage_a_thousand_times_are_refused(tmp_path):
    view = b"K\x00K\x04\x85K\x01\x85tR"
    items = b"".join(b"V%d\n" % i + REBUILD + STORAGE + view for i in range(1000))
    content = zip_with(b"\x80\x02}(" + items + b"u.", **{"data/0": bytes(16)})
    (tmp_path / "shared.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"shared\.pth"):
        read_torch_file(tmp_path / "shared.pth")


def test_a_pickle_of_many_megabytes_is_refused_unread(tmp_path):
    (tmp_path / "long.pth").write_bytes(zip_with(b"\x80\x02" + b"]" * 5_000_000 + b"."))
    with pytest.raises(InputError, match=r"long\.pth.*longer than"):
        read_torch_file(tmp_path / "long.pth")


def test_an_old_file_that_names_a_storage_larger_than_itself_is_refused(torch_files, tmp_path):
    content = (torch_files / "torch_tiny_old.pth").read_bytes()
    last = content.rindex((1).to_bytes(8, "little"))  # the count of the last storage's numbers
    (tmp_path / "made_up.pth").write_bytes(
        content[:last] + (2**40).to_bytes(8, "little") + content[last + 8 :]
    )
    with pytest.raises(InputError, match=r"made_up\.pth"):
        read_torch_file(tmp_path / "made_up.pth")
