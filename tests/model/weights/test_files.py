"""Files of weights into networks and back."""

import json
import resource
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from retinaface_tf.config import ModelConfig
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_backbone, build_network
from retinaface_tf.model.weights.files import load_weights, save_weights
from retinaface_tf.model.weights.h5_file import CHECKSUM

MOBILENET = ModelConfig(backbone="mobilenet025")


@pytest.fixture(scope="module")
def mobilenet(config):
    return build_network(replace(config, model=MOBILENET))


@pytest.mark.parametrize("build", [build_network, lambda config: build_backbone(config.model)])
def test_saved_weights_load_into_a_network_and_into_its_backbone(
    build, config, mobilenet, with_made_up_weights, tmp_path
):
    save_weights(with_made_up_weights(mobilenet), tmp_path / "ours.weights.h5")
    other = build(replace(config, model=MOBILENET))
    load_weights(other, tmp_path / "ours.weights.h5")
    saved = {variable.path: variable.numpy() for variable in mobilenet.variables}
    for loaded in other.variables:
        np.testing.assert_array_equal(loaded.numpy(), saved[loaded.path])


def test_provenance_goes_into_the_file(mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "a.weights.h5", {"source": "theirs.pth"})
    with h5py.File(tmp_path / "a.weights.h5") as file:
        assert json.loads(file.attrs["provenance"]) == {"source": "theirs.pth"}
    load_weights(mobilenet, tmp_path / "a.weights.h5")


def test_nothing_but_the_file_is_left_in_its_folder(mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "new" / "a.weights.h5")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.weights.h5"]


def test_a_name_that_does_not_end_as_keras_wants_is_refused(mobilenet, tmp_path):
    with pytest.raises(InputError, match=r"a\.h5: expected a name that ends in \.weights\.h5"):
        save_weights(mobilenet, tmp_path / "a.h5")


def test_a_folder_that_is_a_file_cannot_be_written(mobilenet, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"a\.weights\.h5: cannot be written"):
        save_weights(mobilenet, tmp_path / "file" / "a.weights.h5")


def test_a_missing_file_is_said_with_its_name(mobilenet, tmp_path):
    with pytest.raises(InputError, match=r"none\.weights\.h5: no such weights file"):
        load_weights(mobilenet, tmp_path / "none.weights.h5")


def test_a_broken_file_is_refused(mobilenet, tmp_path):
    (tmp_path / "broken.weights.h5").write_bytes(b"not HDF5 at all")
    with pytest.raises(InputError, match=r"broken\.weights\.h5: not the weights"):
        load_weights(mobilenet, tmp_path / "broken.weights.h5")


def test_weights_of_another_network_are_refused(config, mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "small.weights.h5")
    resnet = build_network(replace(config, model=ModelConfig(backbone="resnet18")))
    expected = r"small\.weights\.h5: not the weights of a retinaface_resnet18, but of a retinaface_"
    with pytest.raises(InputError, match=expected):
        load_weights(resnet, tmp_path / "small.weights.h5")


def test_a_backbone_is_no_whole_network(mobilenet, tmp_path):
    save_weights(build_backbone(MOBILENET), tmp_path / "part.weights.h5")
    with pytest.raises(InputError, match="of a retinaface_mobilenet025, but of a mobilenet025"):
        load_weights(mobilenet, tmp_path / "part.weights.h5")


def test_weights_for_other_anchors_are_refused(config, mobilenet, tmp_path):
    save_weights(mobilenet, tmp_path / "two.weights.h5")
    three = replace(config.anchors, sizes=((16, 24, 32), (64, 96, 128), (256, 384, 512)))
    other = build_network(replace(config, model=MOBILENET, anchors=three))
    with pytest.raises(InputError, match=r"two\.weights\.h5: .* or not with these anchors"):
        load_weights(other, tmp_path / "two.weights.h5")


def test_numbers_that_are_not_finite_are_refused(config, tmp_path):
    broken = build_network(replace(config, model=MOBILENET))
    broken.get_layer("pyramid1_merge_norm").gamma.assign([np.nan] * 64)
    save_weights(broken, tmp_path / "nan.weights.h5")
    with pytest.raises(InputError, match="finite numbers, pyramid1_merge_norm/gamma has others"):
        load_weights(broken, tmp_path / "nan.weights.h5")


@pytest.fixture(scope="module")
def saved(mobilenet, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "whole.weights.h5"
    save_weights(mobilenet, path, {"source": "drawn"})
    return path


def largest(file):
    """Returns the name of the dataset with the most numbers."""
    sizes = {}
    file.visititems(lambda name, item: sizes.update({name: getattr(item, "size", 0)}))
    return max(sizes, key=sizes.__getitem__)


def compressed(file, name):
    del file[name]
    file.create_dataset(name, (2**29,), np.float32, chunks=(2**20,), compression="gzip")


def never_written(file, name):
    del file[name]
    file.create_dataset(name, (2**29,), np.float32)


def external(file, name):
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, np.float32, external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])


def virtual(file, name):
    layout = h5py.VirtualLayout(file[name].shape, np.float32)
    layout[:] = h5py.VirtualSource("/elsewhere.h5", "x", file[name].shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def soft_link(file, name):
    file["elsewhere"] = file[name][()]
    del file[name]
    file[name] = h5py.SoftLink("/elsewhere")


def external_link(file, name):
    del file[name]
    file[name] = h5py.ExternalLink("/elsewhere.h5", "x")


def references(file, name):
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, h5py.ref_dtype)


def texts(file, name):
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, h5py.string_dtype())


@pytest.mark.parametrize(
    "change",
    [
        *(compressed, never_written, external, virtual),
        *(soft_link, external_link, references, texts),
    ],
    ids=lambda change: change.__name__,
)
def test_a_file_that_is_larger_than_it_looks_or_leads_elsewhere_is_refused(
    mobilenet, saved, tmp_path, change
):
    path = shutil.copy(saved, tmp_path / "bomb.weights.h5")
    with h5py.File(path, "a") as file:
        del file.attrs[CHECKSUM]
        change(file, largest(file))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"\A\S+bomb\.weights\.h5: not the weights"):
        load_weights(mobilenet, path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


def test_every_flipped_bit_is_found_or_changes_nothing(mobilenet, saved, tmp_path):
    content = bytearray(saved.read_bytes())
    expected = [variable.numpy() for variable in mobilenet.variables]
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 6):
        bit = 1 << int(random.integers(8))
        content[place] ^= bit
        (tmp_path / "flipped.weights.h5").write_bytes(content)
        content[place] ^= bit
        try:
            load_weights(mobilenet, tmp_path / "flipped.weights.h5")
        except InputError:
            load_weights(mobilenet, saved)
        for variable, values in zip(mobilenet.variables, expected, strict=True):
            np.testing.assert_array_equal(variable.numpy(), values, err_msg=str(place))


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file[largest(file)].__setitem__(0, 0),
        lambda file: file.move(largest(file), "elsewhere"),
        lambda file: file.attrs.__setitem__("provenance", "{}"),
    ],
    ids=["a number", "a name", "an attribute"],
)
def test_what_was_changed_after_it_was_saved_is_refused(mobilenet, saved, tmp_path, change):
    path = shutil.copy(saved, tmp_path / "changed.weights.h5")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(InputError, match=r"changed\.weights\.h5: .*checksum"):
        load_weights(mobilenet, path)


def test_files_of_before_there_were_checksums_still_load(mobilenet, saved, tmp_path):
    path = shutil.copy(saved, tmp_path / "old.weights.h5")
    with h5py.File(path, "a") as file:
        del file.attrs[CHECKSUM]
    load_weights(mobilenet, path)


def test_published_weights_load_as_they_are(mobilenet, shared):
    load_weights(mobilenet, shared / "data/weights/retinaface_mobilenet025.pth")
    load_weights(
        build_backbone(MOBILENET), shared / "data/weights/mobilenetv1_025_imagenet.pth.tar"
    )
