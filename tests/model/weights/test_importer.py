"""Importing weights: the file that is written, what is refused, and the command."""

import json
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import safetensors.numpy
from absl import flags

from retinaface_tf import build_network, load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.network import build_backbone
from retinaface_tf.model.weights import __main__ as command_line
from retinaface_tf.model.weights.assignment import IncompleteWeightsError
from retinaface_tf.model.weights.files import load_weights
from retinaface_tf.model.weights.importer import import_weights

CONFIG = "configs/mobilenet025.yaml"


class Call:
    def __reduce__(self):
        return (print, ("run",))


@pytest.fixture
def main():
    """Calls the command in this process, with flags as on its command line."""

    def call(*arguments):
        positional = flags.FLAGS(["weights", *map(str, arguments)])
        return command_line.main(positional[1:])

    yield call
    flags.FLAGS.unparse_flags()


@pytest.fixture(scope="module")
def config():
    return load_config(CONFIG)


@pytest.fixture(scope="module")
def state(made_up_network, made_up_state):
    return made_up_state(made_up_network("mobilenet025"))


@pytest.fixture(scope="module")
def theirs(state, tmp_path_factory):
    """Returns a detector as another program would have saved it."""
    path = tmp_path_factory.mktemp("theirs") / "theirs.safetensors"
    safetensors.numpy.save_file(state, path)
    return path


@pytest.fixture(scope="module")
def incomplete(state, tmp_path_factory):
    """Returns a detector without one of its tensors."""
    path = tmp_path_factory.mktemp("incomplete") / "incomplete.safetensors"
    tensors = {name: v for name, v in state.items() if name != "fpn.merge2.1.running_var"}
    safetensors.numpy.save_file(tensors, path)
    return path


def provenance_of(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["provenance"])


def test_an_imported_detector_detects_as_its_source(theirs, config, tmp_path):
    import_weights(theirs, tmp_path / "ours.weights.h5", config)
    image = np.random.default_rng(1).integers(0, 256, (1, 160, 224, 3)).astype(np.uint8)
    found = []
    for source in (theirs, tmp_path / "ours.weights.h5"):
        network = build_network(config)
        load_weights(network, source)
        found.append(GraphDetector(network, config)(image))
    assert found[0].num_detections[0] > 10
    for source_part, imported_part in zip(*found, strict=True):
        np.testing.assert_array_equal(imported_part, source_part)


def test_an_imported_file_says_where_it_comes_from(theirs, config, tmp_path):
    import_weights(theirs, tmp_path / "ours.weights.h5", config)
    provenance = provenance_of(tmp_path / "ours.weights.h5")
    assert provenance["source"] == str(theirs)
    assert provenance["kind"] == "safetensors, detector"
    assert provenance["matched"] == "253 of 253"
    assert len(provenance["sha256"]) == 64
    assert "non-commercial" in provenance["licence"]


def test_a_backbone_becomes_a_file_for_model_pretrained(state, config, tmp_path):
    backbone = {name[5:]: values for name, values in state.items() if name.startswith("body.")}
    safetensors.numpy.save_file({**backbone, "fc.bias": np.zeros(3)}, tmp_path / "a.safetensors")
    import_weights(tmp_path / "a.safetensors", tmp_path / "a.weights.h5", config)
    ours = build_backbone(config.model)
    load_weights(ours, tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(
        ours.get_layer("stage3_block2_pointwise_norm").gamma.numpy(), backbone["stage3.1.4.weight"]
    )


def test_a_broken_file_is_one_line_and_nothing_is_written(theirs, config, tmp_path):
    source, destination = tmp_path / "bad.safetensors", tmp_path / "new" / "ours.weights.h5"
    source.write_bytes(theirs.read_bytes()[:100_000])
    with pytest.raises(InputError) as error:
        import_weights(source, destination, config)
    assert str(error.value).startswith(f"{source}: ")
    assert "\n" not in str(error.value)
    assert not destination.parent.exists()


def test_incomplete_weights_are_refused_with_what_is_missing(incomplete, config, tmp_path):
    with pytest.raises(IncompleteWeightsError) as error:
        import_weights(incomplete, tmp_path / "ours.weights.h5", config)
    assert error.value.assignment.missing == ("fpn.merge2.1.running_var",)
    assert not list(tmp_path.iterdir())


def test_incomplete_weights_are_written_where_that_is_asked_for(
    incomplete, state, config, tmp_path
):
    destination = tmp_path / "ours.weights.h5"
    import_weights(incomplete, destination, config, partial=True)
    assert provenance_of(destination)["matched"] == "252 of 253"
    ours = build_network(config)
    load_weights(ours, destination)
    gamma = ours.get_layer("stage3_block2_pointwise_norm").gamma.numpy()
    np.testing.assert_array_equal(gamma, state["body.stage3.1.4.weight"])


def test_weights_of_which_nothing_matches_are_refused_even_in_part(config, tmp_path):
    source = tmp_path / "theirs.safetensors"
    safetensors.numpy.save_file({"layer9.weight": np.ones(3)}, source)
    with pytest.raises(IncompleteWeightsError):
        import_weights(source, tmp_path / "ours.weights.h5", config, partial=True)
    assert not (tmp_path / "ours.weights.h5").exists()


def test_a_destination_of_another_name_is_refused_first(config, tmp_path):
    with pytest.raises(InputError, match=r"ours\.h5: .* \.weights\.h5"):
        import_weights(tmp_path / "none.pth", tmp_path / "ours.h5", config)


def test_the_command_prints_which_tensors_matched(main, theirs, tmp_path, capsys):
    assert main(theirs, tmp_path / "ours.weights.h5", "--cfg", CONFIG) == 0
    assert "matched: 253\nmissing: 0" in capsys.readouterr().out


def test_the_command_prints_which_tensors_matched_of_refused_weights_too(
    main, incomplete, tmp_path, capsys
):
    with pytest.raises(InputError):
        main(incomplete, tmp_path / "ours.weights.h5", "--cfg", CONFIG)
    assert "missing: 1\n  fpn.merge2.1.running_var" in capsys.readouterr().out


def test_the_command_takes_two_arguments(main):
    with pytest.raises(InputError, match="SRC and DST"):
        main("theirs.pth")


@pytest.mark.slow
def test_from_a_shell_a_bad_file_is_one_line_on_stderr_and_exit_code_1(command, tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Call()}, protocol=2))
    done = command(
        "-m", "retinaface_tf.model.weights", tmp_path / "bad.pth", tmp_path / "x.weights.h5",
        "--cfg", CONFIG,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "bad.pth" in done.stderr
    assert done.stdout == ""
