"""The command that imports weights, as a user calls it."""

import json
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import safetensors.numpy
from absl import flags

from retinaface_tf import Detector, build_network, load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights import __main__ as weights
from retinaface_tf.model.weights.files import load_weights

CONFIG = "configs/mobilenet025.yaml"


class Call:
    def __reduce__(self):
        return (print, ("run",))


@pytest.fixture
def run():
    """Calls the command in this process, with flags as on its command line."""

    def call(*arguments):
        left = flags.FLAGS(["weights", *map(str, arguments)])
        return weights.main(left[1:])

    yield call
    flags.FLAGS.unparse_flags()


@pytest.fixture(scope="module")
def config():
    return load_config(CONFIG)


@pytest.fixture(scope="module")
def theirs(config, made_up_state, tmp_path_factory):
    """A detector as another program would have saved it."""
    path = tmp_path_factory.mktemp("theirs") / "theirs.safetensors"
    state = made_up_state(build_network(config))
    safetensors.numpy.save_file(state, path)
    return path


def write_truncated(path, theirs):
    path.write_bytes(theirs.read_bytes()[:100_000])


def write_no_zip(path, theirs):
    path.write_bytes(b"PK\x03\x04 but nothing of a zip after that")


def write_code(path, theirs):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Call()}, protocol=2))


def write_more_anchors(path, theirs):
    state = safetensors.numpy.load_file(theirs)
    heads = {
        name: np.concatenate([v, v[: len(v) // 2]]) for name, v in state.items() if "Head" in name
    }
    safetensors.numpy.save_file({**state, **heads}, path)


@pytest.mark.slow
def test_an_imported_detector_detects_as_its_source_and_as_its_export(
    run, theirs, config, tmp_path
):
    run(theirs, tmp_path / "ours.weights.h5", "--cfg", CONFIG)
    image = np.random.default_rng(1).integers(0, 256, (1, 160, 224, 3)).astype(np.uint8)
    answers = []
    for source in (theirs, tmp_path / "ours.weights.h5"):
        network = build_network(config)
        load_weights(network, source)
        answers.append(Detector(network, config)(image))
    from retinaface_tf.export.formats import export_model
    from retinaface_tf.runtimes.saved_model import SavedModelDetector

    export_model(Detector(network, config), tmp_path / "model")
    answers.append(SavedModelDetector(tmp_path / "model")(image))
    assert answers[0].num_detections[0] > 10
    for answer in answers[1:]:
        for part, expected in zip(answer, answers[0], strict=True):
            np.testing.assert_array_equal(part, expected)


def test_an_imported_file_says_where_it_comes_from(run, theirs, tmp_path, capsys):
    run(theirs, tmp_path / "ours.weights.h5", "--cfg", CONFIG)
    assert "matched: 253\nmissing: 0" in capsys.readouterr().out
    with h5py.File(tmp_path / "ours.weights.h5") as file:
        provenance = json.loads(file.attrs["provenance"])
    assert provenance["source"] == str(theirs)
    assert provenance["kind"] == "safetensors, detector"
    assert len(provenance["sha256"]) == 64
    assert "non-commercial" in provenance["licence"]


def test_a_backbone_becomes_a_file_for_model_pretrained(run, theirs, config, tmp_path):
    state = safetensors.numpy.load_file(theirs)
    backbone = {name[5:]: values for name, values in state.items() if name.startswith("body.")}
    safetensors.numpy.save_file({**backbone, "fc.bias": np.zeros(3)}, tmp_path / "a.safetensors")
    run(tmp_path / "a.safetensors", tmp_path / "a.weights.h5", "--cfg", CONFIG)
    from retinaface_tf.model.network import build_backbone

    ours = build_backbone(config.model)
    load_weights(ours, tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(
        ours.get_layer("stage3_block2_pointwise_norm").gamma.numpy(), backbone["stage3.1.4.weight"]
    )


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (write_truncated, "expected a whole safetensors file"),
        (write_no_zip, "expected a whole file of torch.save"),
        (write_code, r"print, which is not run"),
        (write_more_anchors, r"has the shape \(\d+, 64, 1, 1\), expected"),
    ],
)
def test_bad_weights_are_one_line_and_nothing_is_written(run, write, reason, theirs, tmp_path):
    source, destination = tmp_path / "bad.pth", tmp_path / "new" / "ours.weights.h5"
    write(source, theirs)
    with pytest.raises(InputError, match=reason) as error:
        run(source, destination, "--cfg", CONFIG)
    assert str(error.value).startswith(f"{source}: ")
    assert "\n" not in str(error.value)
    assert not destination.parent.exists()


def test_weights_of_another_backbone_are_refused(run, theirs, tmp_path):
    other = ("--cfg", CONFIG, "--set", "model.backbone=resnet18")
    with pytest.raises(InputError, match="resnet18, found a detector with the names of mobilenet"):
        run(theirs, tmp_path / "ours.weights.h5", *other)
    assert not list(tmp_path.iterdir())


def test_a_part_is_written_where_it_is_asked_for_and_says_so(run, theirs, config, tmp_path):
    state = safetensors.numpy.load_file(theirs)
    del state["fpn.merge2.1.running_var"]
    source, destination = tmp_path / "part.safetensors", tmp_path / "ours.weights.h5"
    safetensors.numpy.save_file(state, source)
    with pytest.raises(InputError, match=r"1 missing \(such as fpn\.merge2\.1\.running_var\)"):
        run(source, destination, "--cfg", CONFIG)
    assert not destination.exists()
    run(source, destination, "--cfg", CONFIG, "--partial")
    with h5py.File(destination) as file:
        assert json.loads(file.attrs["provenance"])["matched"] == "252 of 253"
    ours = build_network(config)
    load_weights(ours, destination)
    gamma = ours.get_layer("stage3_block2_pointwise_norm").gamma.numpy()
    np.testing.assert_array_equal(gamma, state["body.stage3.1.4.weight"])


def test_weights_of_which_nothing_matches_are_refused_even_in_part(run, tmp_path):
    source = tmp_path / "theirs.safetensors"
    safetensors.numpy.save_file({"layer9.weight": np.ones(3)}, source)
    with pytest.raises(InputError, match="0 tensors matched"):
        run(source, tmp_path / "ours.weights.h5", "--cfg", CONFIG, "--partial")
    assert not (tmp_path / "ours.weights.h5").exists()


def test_a_destination_of_another_name_is_refused_first(run, theirs, tmp_path):
    with pytest.raises(InputError, match=r"ours\.h5: expected a name that ends in \.weights\.h5"):
        run(theirs, tmp_path / "ours.h5", "--cfg", CONFIG)


def test_a_wrong_number_of_arguments_is_told(run):
    with pytest.raises(InputError, match="expected SRC and DST"):
        run("theirs.pth")


@pytest.mark.slow
def test_from_a_shell_a_bad_file_is_one_line_on_stderr_and_exit_code_1(command, tmp_path):
    write_code(tmp_path / "bad.pth", None)
    done = command(
        "-m", "retinaface_tf.model.weights", tmp_path / "bad.pth", tmp_path / "x.weights.h5",
        "--cfg", CONFIG,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "print, which is not run" in done.stderr
    assert done.stdout == ""
