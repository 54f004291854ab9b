"""Exporting: versions that are whole or absent, and answer as their source does."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import DetectorConfig
from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.evaluation.scoring import score
from retinaface_tf.export import savedmodel
from retinaface_tf.export.metadata import describe
from retinaface_tf.export.savedmodel import export_saved_model
from retinaface_tf.export.versions import new_version
from retinaface_tf.model.detector import Detector
from retinaface_tf.model.weights.files import save_weights
from retinaface_tf.runtimes.saved_model import ExportedDetector, versions


def write(models, keep=None):
    with new_version(models, keep) as version:
        (version.folder / "file").write_text("content")
    return version.folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_versions_count_up_and_those_that_are_kept_are_the_newest(tmp_path):
    for number in range(1, 12):
        folder = write(tmp_path, keep=3)
        assert folder == tmp_path / str(number)
        assert (folder / "file").read_text() == "content"
    assert names(tmp_path) == ["10", "11", "9"]
    assert [path.name for path in versions(tmp_path)] == ["9", "10", "11"]


def test_without_a_number_to_keep_all_stay(tmp_path):
    for _ in range(3):
        write(tmp_path)
    assert names(tmp_path) == ["1", "2", "3"]


def test_what_is_no_version_is_neither_counted_nor_removed(tmp_path):
    for name in ("notes", "7.old", "0x9"):
        (tmp_path / name).mkdir()
    (tmp_path / "99").write_text("a file")
    write(tmp_path)
    write(tmp_path, keep=1)
    assert names(tmp_path) == sorted(["2", "notes", "7.old", "0x9", "99"])


def test_a_version_is_not_there_before_it_is_whole(tmp_path):
    with new_version(tmp_path) as version:
        assert not versions(tmp_path)
        assert not version.folder.name.isdecimal()
    assert names(tmp_path) == ["1"]


def test_of_a_version_that_fails_nothing_is_left_and_none_is_removed(tmp_path):
    write(tmp_path)

    def interrupted():
        with new_version(tmp_path, keep=1) as version:
            (version.folder / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == ["1"]


def test_two_exports_at_once_get_a_version_each(tmp_path):
    with new_version(tmp_path) as first:
        (first.folder / "file").write_text("first")
        second = write(tmp_path)
    assert (second.name, first.folder.name) == ("1", "2")
    assert (first.folder / "file").read_text() == "first"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/models: cannot write a model there"):
        write(tmp_path / "file" / "models")


class Moved(ExportedDetector):
    """What an export would be that answers half a pixel off."""

    def __call__(self, images, scale=1.0):
        found = super().__call__(images, scale)
        return found._replace(landmarks=found.landmarks + 0.5)


@pytest.mark.slow
def test_an_export_that_answers_otherwise_is_no_version(detector, tmp_path, monkeypatch):
    monkeypatch.setattr(savedmodel, "ExportedDetector", Moved)
    with pytest.raises(DoesNotHold, match="detect_images: answers otherwise than its source"):
        export_saved_model(detector, tmp_path, source="weights")
    assert names(tmp_path) == []


MOVED = """
import runpy, sys
from retinaface_tf import cli
cli.start_tensorflow()
from retinaface_tf.runtimes.saved_model import ExportedDetector
detect = ExportedDetector.__call__
ExportedDetector.__call__ = lambda *a: detect(*a)._replace(boxes=detect(*a).boxes + 0.1)
sys.argv = ["export.py", *sys.argv[1:]]
runpy.run_path("export.py", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("program", "code"), [(["export.py"], 0), (["-c", MOVED], 2)])
def test_the_command_tells_by_its_exit_code_whether_the_export_holds(
    detector, command, drawn, tmp_path, program, code
):
    weights, models = tmp_path / "made_up.weights.h5", tmp_path / "models"
    save_weights(detector.network, weights)
    done = command(
        *(*program, "--cfg=configs/mobilenet025.yaml", f"--weights={weights}", "--keep=1"),
        *(f"--set=data.root={drawn}", "--set=export.parity_images=1", f"--out={models}"),
    )
    assert done.returncode == code, done.stderr
    assert names(models) == (["1"] if code == 0 else [])
    assert "1 images," in done.stderr
    if code:
        last = done.stderr.splitlines()[-1]
        assert last.startswith("error: SavedModel, detect_images: answers otherwise")


@pytest.mark.slow
def test_without_a_data_set_faces_are_drawn_to_compare(detector, tmp_path, caplog):
    config = detector.config
    absent = replace(config, data=replace(config.data, root=str(tmp_path / "none")))
    with caplog.at_level("INFO"):
        version = export_saved_model(
            Detector(detector.network, absent), tmp_path / "models", source="weights"
        )
    assert names(version.parent) == ["1"]
    assert "no image to compare by, drawing 2" in caplog.text
    assert "2 images" in caplog.text
    assert not (tmp_path / "none").exists()


def test_a_detector_without_limits_is_refused(detector, tmp_path):
    config = replace(detector.config, detector=DetectorConfig(top_k=None, max_detections=None))
    with pytest.raises(InputError, match=r"detector.top_k and detector.max_detections: expected"):
        export_saved_model(Detector(detector.network, config), tmp_path, source="weights")
    assert names(tmp_path) == []


def test_an_exported_model_is_called_as_its_detector(exported, detector, photo):
    image = np.asarray(photo)[None]
    for ours, theirs in zip(exported(image), detector(image), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    half = exported(image, 2.0)
    np.testing.assert_array_equal(half.boxes, exported(image).boxes / 2)


def test_an_image_too_large_for_an_exported_model_is_refused_by_name(exported):
    images = tf.zeros([1, 8, 17_000, 3], tf.uint8)
    with pytest.raises(InputError, match="17000 x 8 pixels is larger than this model"):
        exported(images)


def test_what_is_no_exported_model_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        ExportedDetector(tmp_path / "none")
    with pytest.raises(InputError, match=r"not a model that export\.py wrote"):
        ExportedDetector(tmp_path)


def test_the_ap_that_eval_wrote_goes_along_if_it_is_of_these_weights(detector, tmp_path):
    out = replace(detector.config.eval, out=str(tmp_path))
    config = replace(detector.config, eval=out)

    def told(source):
        return describe(detector.network, config, source, None)["evaluation"]

    assert told("step-7") is None
    score({}, {}, config, source="step-7", protocol="original").save(tmp_path)
    assert told("step-7")["ap"] == {"easy": 0, "medium": 0, "hard": 0}
    assert told("step-7")["protocol"] == "original"
    assert told("step-8") is None
