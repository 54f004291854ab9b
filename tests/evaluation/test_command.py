"""eval.py on predictions that exist already, which needs no network."""

import json
import os

import numpy as np
import pytest

from retinaface_tf.evaluation.prediction_files import write_predictions
from retinaface_tf.evaluation.wider import load_ground_truth

QUICKSTART = "--cfg=configs/quickstart.yaml"


@pytest.fixture(scope="module")
def truth(drawn):
    return load_ground_truth(drawn / "ground_truth")


def evaluate(command, drawn, folder, predictions, *arguments):
    write_predictions(folder / "predictions", predictions)
    return command(
        *("eval.py", QUICKSTART, f"--set=data.root={drawn}", f"--out={folder}"),
        *(f"--predictions={folder / 'predictions'}", *arguments),
    )


def test_predictions_are_scored_shown_and_calibrated(command, drawn, truth, tmp_path):
    found = {key: [[*np.trunc(f), 0.9] for f in image.faces] for key, image in truth.items()}
    asked = f"--report={tmp_path}", "--calibrate=precision=0.95"
    done = evaluate(command, drawn, tmp_path, found, *asked)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["Easy", "Medium", "Hard"]
    content = json.loads((tmp_path / "eval.json").read_text())
    assert (content["images"], content["predictions"]) == (len(truth), "predictions")
    assert "<image" not in (tmp_path / "report.html").read_text()  # as nothing is missed or false
    assert json.loads((tmp_path / "calibration.json").read_text())["score_threshold"] == 0.9
    assert "1.0000" in done.stderr


def test_a_precision_that_no_score_has_ends_with_exit_code_2(command, drawn, truth, tmp_path):
    false = {key: [[0, 0, 5, 5, 0.9]] for key in truth}
    done = evaluate(command, drawn, tmp_path, false, "--calibrate=precision=0.95")
    assert done.returncode == 2
    assert "0.95" in done.stderr
    assert json.loads((tmp_path / "calibration.json").read_text())["score_threshold"] is None


def test_a_report_without_its_extra_is_refused_before_the_work(command, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('No module matplotlib')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = command("eval.py", QUICKSTART, f"--report={tmp_path}", env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "matplotlib" in done.stderr
    assert "retinaface-tf[report]" in done.stderr
    assert done.stderr.count("\n") == 1
