"""The commands as a user runs them, on a handful of drawn faces: that they work, not how well."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.numpy

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.detections import Detections
from retinaface_tf.evaluation.average_precision import evaluate_predictions
from retinaface_tf.evaluation.prediction_files import read_predictions
from retinaface_tf.evaluation.wider import load_ground_truth
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.network import build_backbone
from retinaface_tf.model.weights.files import load_weights
from retinaface_tf.runtimes.run_folder import load_network

ROOT = Path(__file__).parents[1]
QUICKSTART = "configs/quickstart.yaml"
STEPS = 12


def settings(drawn: Path) -> list[str]:
    """Returns a run of 12 steps of 4 images, with a checkpoint after every second step."""
    values = {
        "data.root": drawn,
        "data.image_size": 64,
        "train.epochs": 3,
        "train.batch_per_device": 4,
        "train.checkpoint_steps": 2,
        "train.log_steps": 2,
        "train.deterministic": "true",
        "schedule.warmup_epochs": 1,
        "optimizer.learning_rate": 0.01,  # at which so short a run finds some faces, right or wrong
        "detector.score_threshold": 0.2,
        # More than such images have, so that an export leaves out no more than evaluation.
        "detector.top_k": 20_000,
        "detector.max_detections": 5000,
    }
    return [f"--set={key}={value}" for key, value in values.items()]


@pytest.fixture(scope="module")
def trained(drawn, command, tmp_path_factory):
    """Returns the workdir and the settings of an uninterrupted run."""
    workdir = tmp_path_factory.mktemp("run") / "whole"
    arguments = [f"--cfg={QUICKSTART}", f"--workdir={workdir}", *settings(drawn)]
    validation = ["--set=train.validate_epochs=3", "--set=train.validate_images=2"]
    done = command("train.py", *arguments, *validation)
    assert done.returncode == 0, done.stderr
    return workdir, arguments, done


def config_of(arguments: list[str], *overrides: str) -> Config:
    """Reads the config as a command with these arguments does."""
    values = dict(argument.removeprefix("--").split("=", 1) for argument in arguments[:2])
    settings = [argument.removeprefix("--set=") for argument in arguments[2:]]
    return load_config(values["cfg"], [*settings, f"train.workdir={values['workdir']}", *overrides])


def test_training_reports_what_it_runs_and_how_it_goes(trained):
    workdir, _, done = trained
    for said in (
        "426,608 parameters",
        "168 anchors at 64 x 64",
        f"step {STEPS}/{STEPS}",
        "AP easy",
    ):
        assert said in done.stderr, done.stderr
    assert re.search(r"loss \d+\.\d+ \(boxes", done.stderr)
    assert list((workdir / "tensorboard").iterdir())
    kept = sorted(path.name for path in (workdir / "checkpoints").glob("*.index"))
    assert kept == ["step-10.index", "step-12.index"]


def test_training_keeps_the_best_weights_apart(trained):
    workdir, arguments, _ = trained
    best = json.loads((workdir / "best.json").read_text())
    assert best["step"] == STEPS
    assert set(best["ap"]) == {"easy", "medium", "hard"}
    file = workdir / "best.weights.h5"
    assert load_network(config_of(arguments, f"eval.weights={file}"))[0] == str(file)


@pytest.mark.slow
def test_a_backbone_of_others_that_is_frozen_comes_out_as_it_went_in(
    drawn, command, made_up_state, tmp_path
):
    config = load_config(ROOT / QUICKSTART)
    backbone = build_backbone(config.model)
    file = tmp_path / "theirs.safetensors"
    safetensors.numpy.save_file(made_up_state(backbone), file)
    load_weights(backbone, file)
    done = command(
        *("train.py", f"--cfg={QUICKSTART}", f"--workdir={tmp_path}", *settings(drawn)),
        f"--set=model.pretrained={file}",
        "--set=model.freeze=[stem, stage1, stage2, stage3]",
    )
    assert done.returncode == 0, done.stderr
    _, trained = load_network(load_config(tmp_path / "config.yaml"))
    for variable in backbone.variables:
        layer, name = variable.path.split("/")
        ours = getattr(trained.get_layer(layer), name).numpy()
        np.testing.assert_array_equal(ours, variable.numpy(), err_msg=variable.path)


def test_evaluation_ends_with_the_three_lines_and_writes_what_it_saw(trained, command, tmp_path):
    _, arguments, _ = trained
    shown = f"--report={tmp_path / 'shown'}"
    done = command("eval.py", *arguments, f"--out={tmp_path}", "--protocol=original", shown)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"Easy   Val AP : 0\.\d{4}\nMedium Val AP : 0\.\d{4}\nHard   Val AP : 0\.\d{4}\n",
        done.stdout,
    )
    report = json.loads((tmp_path / "eval.json").read_text())
    assert report["protocol"] == "original"
    assert list(report["speed"]) == ["decoding", "network", "NMS"]
    assert all(milliseconds > 0 for milliseconds in report["speed"].values())
    assert (tmp_path / "shown" / "report.html").is_file()
    truth = load_ground_truth(config_of(arguments).ground_truth_folder)
    again = evaluate_predictions(read_predictions(tmp_path / "predictions"), truth)
    assert again == pytest.approx(report["ap"], abs=1e-4), "the files written give the same"


@pytest.fixture(scope="module")
def exported(trained, command, tmp_path_factory):
    """Returns an exported model's first version."""
    _, arguments, _ = trained
    models = tmp_path_factory.mktemp("models") / "retinaface"
    done = command("export.py", *arguments, f"--out={models}")
    assert done.returncode == 0, done.stderr
    return models / "1"


@pytest.mark.slow
def test_exporting_again_adds_the_next_version(trained, exported, command):
    done = command("export.py", *trained[1], f"--out={exported.parent}")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in exported.parent.iterdir()) == ["1", "2"]


@pytest.mark.slow
def test_evaluation_of_the_exported_model_gives_the_ap_of_the_checkpoint(
    trained, exported, command, tmp_path
):
    common = [*trained[1], "--protocol=original", f"--out={tmp_path}"]
    ours = command("eval.py", *common)
    theirs = command("eval.py", *common, f"--saved_model={exported.parent}")
    assert theirs.returncode == 0, theirs.stderr
    assert ours.stdout == theirs.stdout


@pytest.fixture(scope="module")
def album(drawn, tmp_path_factory) -> Path:
    """Returns a folder with an image, a video of it, and a file that is neither."""
    folder = tmp_path_factory.mktemp("album")
    image = next((drawn / "val/images").rglob("*.jpg"))
    shutil.copy(image, folder / "deep.jpg")
    pixels = cv2.imread(str(image))
    video = cv2.VideoWriter(
        str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, pixels.shape[1::-1]
    )
    for _ in range(5):
        video.write(pixels)
    video.release()
    (folder / "broken.jpg").write_bytes(b"not an image")
    return folder


def read_lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "detections.jsonl").read_text().splitlines()]


def test_detect_goes_through_images_and_videos_and_past_what_is_neither(
    trained, exported, album, command, tmp_path
):
    done = command(
        *("-m", "retinaface_tf.detect", album, *trained[1], f"--out={tmp_path}", "--score=0.2"),
        *("--crop", "--align=arcface112", "--max_frames=3", "--batch=2"),
        f"--saved_model={exported.parent}",
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: 1 of 3")
    assert str(album / "broken.jpg") in last
    clip, deep = str(album / "clip.avi"), str(album / "deep.jpg")
    results = read_lines(tmp_path)
    places = [(result["file"], result["frame"]) for result in results]
    assert places == [(clip, 0), (clip, 1), (clip, 2), (deep, None)]
    assert_faces_are_those_of_the_checkpoint(results[-1]["faces"], trained, album / "deep.jpg")
    faces = [face for result in results for face in result["faces"]]
    for face in faces:
        assert np.shape(face["matrix"]) == (2, 3)
        assert (tmp_path / face["aligned"]).stat().st_size > 0
    rows = (tmp_path / "detections.csv").read_text().splitlines()
    assert len(rows) == 1 + len(faces)
    assert (tmp_path / "deep.jpg").stat().st_size > 0
    assert (tmp_path / "clip.avi.mp4").stat().st_size > 0


def assert_faces_are_those_of_the_checkpoint(faces: list[dict], trained, image: Path) -> None:
    config = config_of(trained[1])
    detector = GraphDetector(load_network(config)[1], config)
    batch = detector(cv2.imread(str(image))[None, ..., ::-1])
    expected = Detections.of_image(batch, 0).above(0.2)
    assert len(faces) == len(expected) > 0
    for ours, theirs in zip(faces, expected, strict=True):
        np.testing.assert_allclose(ours["box"], theirs.boxes[0], atol=0.01)
        np.testing.assert_allclose(ours["landmarks"], theirs.landmarks[0], atol=0.01)
        assert ours["score"] == pytest.approx(theirs.scores[0], abs=1e-4)
