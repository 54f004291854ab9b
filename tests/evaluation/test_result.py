"""eval.json: its content, and how the evaluation behind predictions is found again."""

import hashlib
import json
from dataclasses import replace

import pytest

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.prediction_files import write_predictions
from retinaface_tf.evaluation.result import Evaluation, find_maker, fingerprints, format_ap
from retinaface_tf.evaluation.scoring import score, score_files

AP = {"easy": 0.9, "medium": 0.8, "hard": 0.7}
KEYS = (
    *("ap", "source", "sha256", "protocol", "images", "seconds", "speed", "date", "retinaface_tf"),
    *("versions", "predictions", "made_by", "config"),
)


def evaluation(predictions=None, **more):
    made = score({}, {}, Config(), source="some/weights", protocol="vga", **more)
    return replace(made, ap=AP, predictions=predictions)


def test_ap_is_printed_as_three_lines():
    assert format_ap(AP).splitlines() == [
        "Easy   Val AP : 0.9000",
        "Medium Val AP : 0.8000",
        "Hard   Val AP : 0.7000",
    ]


def test_an_evaluation_reads_back_as_it_was_saved(tmp_path):
    saved = evaluation(tmp_path / "predictions", seconds=2.04, speed={"network": 3.5})
    saved.save(tmp_path)
    assert Evaluation.load(tmp_path / "eval.json") == saved
    content = json.loads((tmp_path / "eval.json").read_text())
    assert tuple(content) == KEYS
    assert content["seconds"] == 2.0
    assert content["config"]["eval"]["iou"] == 0.5


def test_the_place_of_predictions_is_relative_to_a_folder_that_holds_them(tmp_path):
    for folder, kept in (("run", "predictions"), ("other", str(tmp_path / "run/predictions"))):
        evaluation(tmp_path / "run" / "predictions").save(tmp_path / folder)
        content = json.loads((tmp_path / folder / "eval.json").read_text())
        assert content["predictions"] == kept


def test_predictions_that_are_scored_again_have_the_evaluation_beside_them(tmp_path):
    folder = tmp_path / "predictions"
    write_predictions(folder, {"e/a": [[1, 2, 3, 4, 0.5]]})
    made = evaluation(folder, speed={"network": 3.5})
    made.save(tmp_path)
    again, predictions = score_files(str(folder), {}, Config())
    assert again.maker == made
    assert again.protocol is None
    assert predictions["e/a"].tolist() == [[1, 2, 3, 4, 0.5]]
    again.save(tmp_path / "again")
    assert Evaluation.load(tmp_path / "again" / "eval.json") == again


def test_other_predictions_and_broken_evaluations_have_no_maker(tmp_path, caplog):
    evaluation(tmp_path / "predictions").save(tmp_path)
    assert find_maker(tmp_path / "other") is None
    assert evaluation().maker.source == "some/weights"
    assert "eval.json" not in caplog.text
    (tmp_path / "eval.json").write_text("{}")
    assert find_maker(tmp_path / "predictions") is None
    assert "eval.json: ap: " in caplog.text


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


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "No such file"),
        ("nonsense", "JSON"),
        ("[]", "eval.json"),
        ("[" * 100_000, "JSON"),
        ("1" * 5000, "JSON"),
    ],
)
def test_another_file_is_refused(tmp_path, content, named):
    file = tmp_path / "eval.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=f"eval.json: .*{named}"):
        Evaluation.load(file)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"ap": {"easy": "high"}}, r"ap\.easy"),
        ({"ap": {"easy": 0.5}}, "ap"),
        ({"ap": AP | {"all": 0.5}}, "ap"),
        ({"images": None}, "images"),
        ({"images": 10**300}, "images"),
        ({"images": -1}, "images"),
        ({"speed": {"network": 0}}, r"speed\.network"),
        ({"speed": {"network": float("inf")}}, r"speed\.network"),
        ({"predictions": "a\0b"}, "predictions"),
        ({"predictions": "\ud800"}, "predictions"),
        ({"made_by": {}}, r"made_by\.ap"),
        ({"config": {"nonsense": 1}}, r"config\.nonsense"),
    ],
)
def test_the_key_at_fault_is_named(tmp_path, change, key):
    evaluation().save(tmp_path)
    file = tmp_path / "eval.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=f"eval.json: {key}: "):
        Evaluation.load(file)
