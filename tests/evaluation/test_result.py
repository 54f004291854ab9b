"""eval.json: what is in it, and how it is found again."""

import hashlib
import json

import pytest

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.result import Evaluated, fingerprints, read_report, write_report

AP = {"easy": 0.9, "medium": 0.8, "hard": 0.7}


def made_by_us(folder, **more):
    return Evaluated("some/weights", "vga", {}, {}, saved=folder / "predictions", **more)


def test_a_report_reads_back_and_says_where_the_predictions_lie(tmp_path):
    made = write_report(tmp_path / "run", Config(), made_by_us(tmp_path / "run"), AP)
    assert read_report(tmp_path / "run" / "eval.json") == json.loads(json.dumps(made))
    assert made["predictions"] == "predictions"
    elsewhere = write_report(tmp_path / "other", Config(), made_by_us(tmp_path / "run"), AP)
    assert elsewhere["predictions"] == str(tmp_path / "run" / "predictions")


def test_predictions_scored_again_bring_the_report_beside_them(tmp_path):
    speed = {"network": 3.5}
    write_report(tmp_path / "run", Config(), made_by_us(tmp_path / "run", speed=speed), AP)
    (tmp_path / "run" / "other").mkdir()
    for name, maker in (("predictions", "some/weights"), ("other", None)):
        folder = tmp_path / "run" / name
        again = Evaluated(str(folder), None, {}, {}, saved=folder)
        made_by = write_report(tmp_path / "again", Config(), again, AP)["made_by"]
        assert (made_by and made_by["source"]) == maker
    assert (
        write_report(tmp_path / "run", Config(), made_by_us(tmp_path / "run"), AP)["made_by"]
        is None
    )


def test_the_hash_is_of_the_files_that_a_model_consists_of(tmp_path):
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    for name in ("w.pth", "step-2.index", "step-2.data", "step-20.index", "saved/saved_model.pb"):
        (tmp_path / name).write_text(name)
    (tmp_path / "saved" / "variables" / "variables.index").write_text("v")
    known = hashlib.sha256(b"w.pth").hexdigest()
    assert fingerprints(str(tmp_path / "w.pth")) == {"w.pth": known}
    assert list(fingerprints(str(tmp_path / "step-2"))) == ["step-2.data", "step-2.index"]
    assert list(fingerprints(str(tmp_path / "saved"))) == [
        "saved_model.pb",
        "variables/variables.index",
    ]
    assert fingerprints(str(tmp_path)) == {}


@pytest.mark.parametrize("content", [None, "nonsense", "[]", '{"ap": {}}'])
def test_what_is_no_report_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "eval.json").write_text(content)
    with pytest.raises(
        InputError, match=r"eval.json: (cannot read a report|expected an eval.json)"
    ):
        read_report(tmp_path / "eval.json")
