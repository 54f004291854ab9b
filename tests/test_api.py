"""What `import retinaface_tf` offers: its names, and the examples in their docstrings."""

import doctest
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_backbone import tiny_backbone
from tiny_network import noise, tiny_network

import retinaface_tf
from retinaface_tf.api import evaluate, export_model, load_detector, train
from retinaface_tf.config import EvalConfig
from retinaface_tf.config_file import load_config
from retinaface_tf.drawing import write_picture
from retinaface_tf.errors import InputError
from retinaface_tf.runtimes.network import NetworkDetector
from retinaface_tf.samples import GRACE_HOPPER

OLD_NAMES = {
    *("load_config", "build_network", "evaluate_predictions"),
    *("InputError", "Detector", "Detections"),
}
SMALL = [
    *("data.image_size=64", "train.epochs=1", "train.batch_per_device=8"),
    *("schedule.warmup_epochs=0", "train.validate_epochs=1", "train.validate_images=2"),
]


@pytest.fixture
def detector(tiny_config) -> NetworkDetector:
    """Returns the detector of a few weights."""
    config = replace(tiny_config, eval=EvalConfig(protocol="vga"))
    return NetworkDetector(tiny_network(config), config, "runs/mine")


@pytest.fixture
def folder(tmp_path, drawn, monkeypatch) -> Path:
    """Returns a working directory with the files that the examples name."""
    (tmp_path / "photo.jpg").write_bytes(GRACE_HOPPER.read_bytes())
    write_picture(tmp_path / "photos" / "a.jpg", noise(1, 96, 96)[0])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "widerface").symlink_to(drawn)
    (tmp_path / "data" / "drawn").symlink_to(drawn)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examples() -> list[str]:
    return [name for name in retinaface_tf.__all__ if name not in ("train", "load_detector")]


def run_example(name: str, **names: object) -> None:
    public = getattr(retinaface_tf, name)
    module = inspect.getmodule(public)
    names = {**vars(module), "np": np, "Path": Path, "load_config": load_config, **names}
    tests = list(doctest.DocTestFinder(recurse=False).find(public, name, globs=names))
    tests += [
        test
        for member in vars(public).values()
        if inspect.isclass(public) and inspect.isfunction(member)
        for test in doctest.DocTestFinder(recurse=False).find(member, name, globs=names)
    ]
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert all(runner.run(test).failed == 0 for test in tests)


def test_names_are_listed_typed_and_the_old_ones_are_among_them():
    assert set(retinaface_tf.__all__) >= OLD_NAMES
    assert set(dir(retinaface_tf)) >= set(retinaface_tf.__all__)
    assert Path(retinaface_tf.__file__).with_name("py.typed").exists()
    with pytest.raises(AttributeError):
        _ = retinaface_tf.no_such_name


@pytest.mark.parametrize("name", examples())
def test_the_example_of_each_public_name_holds(name, folder, detector):
    run_example(name, load_detector=lambda source: detector, evaluate=evaluate)


def test_the_example_of_load_detector_holds(folder):
    run_example("load_detector")


def test_the_example_of_train_holds(folder):
    results = []

    def train_small(config):
        results.append(train(config))
        return results[-1]

    with tiny_backbone():
        run_example("train", load_config=lambda name: load_config(name, SMALL), train=train_small)
    [result] = results
    assert (result.complete, result.steps, result.workdir) == (True, 2, Path("runs/quickstart"))
    assert set(result.best_ap) == {"easy", "medium", "hard"}


def test_an_export_is_measured_but_not_exported_again(onnx_file, drawn, folder):
    exported = load_detector(onnx_file)
    with pytest.raises(InputError, match=r"model\.onnx"):
        export_model(exported, folder / "models")
    config = replace(exported.config, eval=EvalConfig(protocol="vga"))
    assert evaluate(exported, config).source == str(onnx_file)


def test_an_unknown_format_is_answered_with_the_known_ones(detector, folder):
    with pytest.raises(InputError, match=r"savedmodel, onnx, litert"):
        export_model(detector, folder / "models", format="onx")
