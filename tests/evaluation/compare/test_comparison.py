"""Comparing evaluations, as a user does it: with files and from the command line."""

import json

import numpy as np
import pytest

from retinaface_tf.evaluation.wider import load_ground_truth, write_predictions

AWAY = [0.0, 0.0, 5.0, 5.0]


@pytest.fixture(scope="module")
def evaluated(command, tmp_path_factory):
    """Evaluations of drawn faces: all found; the same but worse placed; the first face missed."""
    folder = tmp_path_factory.mktemp("runs")
    drawn = folder / "drawn"
    draw = (
        "from pathlib import Path; from retinaface_tf.data.synthetic.scenes import draw_dataset;"
        f"draw_dataset(Path('{drawn}'), 1, 40)"
    )
    assert command("-c", draw).returncode == 0
    for name, first in (("good", 0), ("same", 0), ("bad", 1)):
        predictions = {
            key: [[*np.trunc(face), 0.9] for face in image.faces[first:]] + [[*AWAY, 0.1]]
            for key, image in load_ground_truth(drawn / "ground_truth").items()
        }
        write_predictions(folder / name / "predictions", predictions)
        done = command(
            *("eval.py", "--cfg=configs/quickstart.yaml", f"--set=data.root={drawn}"),
            *(f"--predictions={folder / name / 'predictions'}", f"--out={folder / name}"),
        )
        assert done.returncode == 0, done.stderr
    return folder


def compare(command, *arguments):
    return command("-m", "retinaface_tf.evaluation.compare", *arguments)


def test_a_difference_is_called_noise_or_not(evaluated, command):
    files = [evaluated / name / "eval.json" for name in ("good", "same", "bad")]
    done = compare(command, *files)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == ["good", "same", "bad"]
    assert [line.split()[0] for line in lines if line.split()[0] in ("noise", "worse")] == [
        "noise",
        "worse",
    ]
    assert f"{json.loads(files[2].read_text())['ap']['hard']:.4f}" in done.stdout
    assert "+0.0000 (+0.0000 to +0.0000)" in done.stdout


def test_the_page_has_the_table_and_a_plot_of_each_set(evaluated, command, tmp_path):
    files = [evaluated / name / "eval.json" for name in ("good", "bad")]
    done = compare(command, *files, f"--report={tmp_path}", "--resamples=100")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "compare.html").read_text()
    assert page.count('<svg class="plot"') == 3
    assert page.count("worse") == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"predictions": None}, "its detections were not kept; evaluate again with --set"),
        ({"config": {"eval": {"iou": 0.7}}}, "expected one eval.iou for all, found 0.5, 0.7"),
        ({"config": {"nonsense": 1}}, "eval.json: config: nonsense"),
    ],
)
def test_what_cannot_be_compared_is_named(evaluated, command, tmp_path, change, said):
    good = evaluated / "good" / "eval.json"
    other = tmp_path / "eval.json"
    report = json.loads(good.read_text())
    other.write_text(
        json.dumps(report | {"predictions": str(good.parent / "predictions")} | change)
    )
    done = compare(command, good, other)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_one_evaluation_alone_is_refused(command):
    done = compare(command, "eval.json")
    assert done.returncode == 1
    assert done.stderr == "error: expected two or more eval.json of eval.py to compare\n"


def test_eval_calibrates_and_says_where_it_cannot(evaluated, command, tmp_path):
    arguments = (
        *("eval.py", "--cfg=configs/quickstart.yaml", f"--set=data.root={evaluated / 'drawn'}"),
        *(f"--predictions={evaluated / 'good' / 'predictions'}", f"--out={tmp_path}"),
    )
    done = command(*arguments, "--calibrate=precision=0.95")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "calibration.json").read_text())
    assert written["score_threshold"] == 0.9
    assert "precision 1.0000" in done.stderr
    false = {"nowhere/x": []} | {
        key: [[*AWAY, 0.9]] for key in load_ground_truth(evaluated / "drawn" / "ground_truth")
    }
    write_predictions(tmp_path / "false", false)
    done = command(*arguments, "--calibrate=precision=0.95", f"--predictions={tmp_path / 'false'}")
    assert done.returncode == 2
    assert "no score threshold has a precision of 0.95" in done.stderr
