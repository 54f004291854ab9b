"""WIDER FACE's ground truth is read, and every broken file is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import SETS, GroundTruth, evaluate_predictions
from retinaface_tf.evaluation.prediction_files import read_predictions
from retinaface_tf.evaluation.wider import load_attributes, load_ground_truth

SHARED = Path(__file__).parents[2].parent / "shared"


def cell(*values):
    """Returns a MATLAB cell [n, 1]."""
    made = np.empty((len(values), 1), object)
    made[:, 0] = values
    return made


def write_ground_truth(folder):
    """Writes two events; the second image has one face, the third none."""
    names = {
        "event_list": cell("0--Parade", "1--March"),
        "file_list": cell(cell("a", "b.c"), cell("d")),
    }
    faces = cell(
        cell(np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int32), np.array([[9, 9, -2, 0]], np.int32)),
        cell(np.zeros((0, 4), np.int32)),
    )
    none = np.zeros((0, 1), np.uint8)
    for name, counted in {
        "easy": cell(cell(none, none), cell(none)),
        "medium": cell(cell(np.array([[2]], np.uint8), none), cell(none)),
        "hard": cell(cell(np.array([[1], [2]], np.uint16), np.array([[1]], np.uint8)), cell(none)),
    }.items():
        savemat(folder / f"wider_{name}_val.mat", names | {"gt_list": counted})
    savemat(folder / "wider_face_val.mat", names | {"face_bbx_list": faces})


def test_ground_truth_has_the_faces_of_each_image_and_which_count(tmp_path):
    write_ground_truth(tmp_path)
    truth = load_ground_truth(tmp_path)
    assert list(truth) == ["0--Parade/a", "0--Parade/b.c", "1--March/d"]
    first, second, third = truth.values()
    assert first.faces.dtype == np.float64
    assert first.faces.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert second.faces.tolist() == [[9, 9, -2, 0]]
    assert third.faces.shape == (0, 4)
    counted = {name: [image.in_set[name].tolist() for image in truth.values()] for name in SETS}
    assert counted == {
        "easy": [[False, False], [False], []],
        "medium": [[False, True], [False], []],
        "hard": [[True, True], [True], []],
    }


@pytest.mark.parametrize("name", ["face", "easy", "medium", "hard"])
def test_a_missing_file_of_the_ground_truth_is_named(tmp_path, name):
    write_ground_truth(tmp_path)
    (tmp_path / f"wider_{name}_val.mat").unlink()
    with pytest.raises(InputError, match=f"wider_{name}_val.mat: no such file, expected") as error:
        load_ground_truth(tmp_path)
    assert "wider_face_val.mat, wider_easy_val.mat, wider_medium_val.mat" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 50, b"\x00" * 300])
def test_a_file_that_is_no_mat_is_named(tmp_path, content):
    write_ground_truth(tmp_path)
    (tmp_path / "wider_hard_val.mat").write_bytes(content)
    with pytest.raises(InputError, match=r"wider_hard_val.mat: expected .* gt_list") as error:
        load_ground_truth(tmp_path)
    assert "\n" not in str(error.value)


def test_a_truncated_mat_is_named(tmp_path):
    write_ground_truth(tmp_path)
    file = tmp_path / "wider_face_val.mat"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"wider_face_val.mat: expected WIDER FACE's"):
        load_ground_truth(tmp_path)


def test_a_mat_of_something_else_is_named(tmp_path):
    write_ground_truth(tmp_path)
    shutil.copy(tmp_path / "wider_face_val.mat", tmp_path / "wider_easy_val.mat")
    with pytest.raises(InputError, match=r"wider_easy_val.mat: expected .* gt_list"):
        load_ground_truth(tmp_path)


@pytest.mark.parametrize(
    ("events", "images"), [(("e",), (("a", "a"),)), (("e", "e"), (("a",), ("a",)))]
)
def test_an_image_that_is_there_twice_is_named(tmp_path, events, images):
    write_ground_truth(tmp_path)
    boxes = cell(*(cell(*(np.ones((1, 4)) for _ in names)) for names in images))
    names = {"event_list": cell(*events), "file_list": cell(*(cell(*each) for each in images))}
    savemat(tmp_path / "wider_face_val.mat", names | {"face_bbx_list": boxes})
    with pytest.raises(InputError, match=r"wider_face_val\.mat: .*e/a occurs twice"):
        load_ground_truth(tmp_path)


@pytest.mark.parametrize("position", [0, 3])
def test_a_face_that_does_not_exist_is_named_by_image_and_number(tmp_path, position):
    write_ground_truth(tmp_path)
    names = {"event_list": cell("0--Parade"), "file_list": cell(cell("a"))}
    wrong = cell(cell(np.array([[position]], np.uint8)))
    savemat(tmp_path / "wider_easy_val.mat", names | {"gt_list": wrong})
    with pytest.raises(
        InputError, match=rf"easy_val\.mat: 0--Parade/a: .* face {position}, .* 1\.\.2"
    ):
        load_ground_truth(tmp_path)


def test_an_image_that_a_set_does_not_know_is_named(tmp_path):
    write_ground_truth(tmp_path)
    names = {"event_list": cell("0--Parade"), "file_list": cell(cell("a"))}
    counted = cell(cell(np.array([[1]], np.uint8)))
    savemat(tmp_path / "wider_easy_val.mat", names | {"gt_list": counted})
    with pytest.raises(InputError, match=r"wider_easy_val.mat: 0--Parade/b.c: not in this file"):
        load_ground_truth(tmp_path)


def write_text(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def shared(*parts):
    path = SHARED.joinpath("data", *parts)
    if not path.exists():
        pytest.skip("needs ../shared with WIDER FACE's ground truth and known predictions")
    return path


def test_wider_faces_own_ground_truth_has_the_known_counts():
    truth = load_ground_truth(shared("ground_truth_full"))
    assert len(truth) == 3226
    assert sum(len(image.faces) for image in truth.values()) == 39_708
    counted = {name: [int(image.in_set[name].sum()) for image in truth.values()] for name in SETS}
    assert {name: sum(counts) for name, counts in counted.items()} == {
        "easy": 7_211,
        "medium": 13_319,
        "hard": 31_958,
    }
    assert [counts.count(0) for counts in counted.values()] == [622, 207, 7]


@pytest.mark.parametrize(
    ("folder", "known"),
    [
        (("ground_truth_full",), (0.9070, 0.8816, 0.7383)),
        (("widerface", "ground_truth"), (0.9320, 0.9107, 0.7644)),
    ],
    ids=["all images", "every eighth image"],
)
def test_published_predictions_of_mobilenet_reach_their_known_ap(folder, known):
    predictions = read_predictions(shared("predictions_mobilenet025_original_size.zip"))
    result = evaluate_predictions(predictions, load_ground_truth(shared(*folder)))
    assert tuple(result.values()) == pytest.approx(known, abs=1e-4)


ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
LISTED = "0--Parade/a.jpg\n1\n1 2 3 4 2 1 0 0 1 0\n"


def one_face(folder, **lists):
    names = {"event_list": cell("0--Parade"), "file_list": cell(cell("a"))}
    boxes = {"face_bbx_list": cell(cell(np.array([[1, 2, 3, 4]])))}
    savemat(folder / "wider_face_val.mat", names | boxes | lists)
    counted = dict.fromkeys(SETS, np.array([True]))
    return {"0--Parade/a": GroundTruth(np.array([[1.0, 2, 3, 4]]), counted)}


def test_attributes_are_read_from_the_official_mat(tmp_path):
    lists = {f"{name}_label_list": cell(cell(np.array([[i]]))) for i, name in enumerate(ATTRIBUTES)}
    truth = one_face(tmp_path, **lists)
    assert load_attributes(tmp_path, tmp_path / "none.txt", truth).tolist() == [[0, 1, 2, 3, 4, 5]]


def test_attributes_are_read_from_official_labels_where_the_mat_has_none(tmp_path):
    truth = one_face(tmp_path)
    write_text(tmp_path, {"official.txt": LISTED, "label.txt": "# 0--Parade/a.jpg\n1 2 3 4\n"})
    found = load_attributes(tmp_path, tmp_path / "official.txt", truth)
    assert found.tolist() == [[2, 1, 0, 0, 1, 0]]
    assert load_attributes(tmp_path, tmp_path / "label.txt", truth) is None
    assert load_attributes(tmp_path, tmp_path / "none.txt", truth) is None


def test_attributes_of_other_faces_are_named(tmp_path):
    truth = one_face(tmp_path)
    write_text(tmp_path, {"official.txt": "0--Parade/a.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"})
    with pytest.raises(InputError, match=r"official.txt: 0--Parade/a: .* of 1 faces, found 0"):
        load_attributes(tmp_path, tmp_path / "official.txt", truth)
