"""Comparing evaluations: all drawn faces found, the same again, and the first one missed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retinaface_tf.config import Config, DataConfig
from retinaface_tf.data.synthetic.scenes import draw_dataset
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.compare.comparison import compare_evaluations
from retinaface_tf.evaluation.compare.page import write_comparison
from retinaface_tf.evaluation.compare.settings import differing_settings
from retinaface_tf.evaluation.prediction_files import write_predictions
from retinaface_tf.evaluation.result import Evaluation
from retinaface_tf.evaluation.scoring import score_files
from retinaface_tf.evaluation.wider import load_ground_truth

AWAY = [0.0, 0.0, 5.0, 5.0]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    draw_dataset(folder / "drawn", 1, 40)
    truth = load_ground_truth(folder / "drawn" / "ground_truth")
    config = Config(data=DataConfig(root=str(folder / "drawn")))
    for name, first in (("good", 0), ("same", 0), ("bad", 1)):
        predictions = folder / name / "predictions"
        rows = {
            key: [[*np.trunc(face), 0.9] for face in image.faces[first:]] + [[*AWAY, 0.1]]
            for key, image in truth.items()
        }
        write_predictions(predictions, rows)
        score_files(str(predictions), truth, config)[0].save(folder / name)
    return {name: folder / name / "eval.json" for name in ("good", "same", "bad")}


@pytest.fixture(scope="module")
def comparison(files):
    return compare_evaluations(list(files.values()), None, resamples=100, seed=1)


def test_a_difference_is_noise_unless_its_interval_leaves_out_0(files, comparison):
    assert [run.name for run in comparison.runs] == ["good", "same", "bad"]
    assert comparison.images == 40
    _, same, bad = (row["hard"] for row in comparison.table)
    assert (same.difference, same.difference_interval, same.verdict) == (0, (0, 0), "noise")
    assert bad.verdict == "worse"
    assert bad.difference < bad.difference_interval[1] < 0
    assert bad.ap == pytest.approx(Evaluation.load(files["bad"]).ap["hard"], abs=1e-12)


def test_the_text_has_a_row_for_each_run(comparison):
    lines = str(comparison).splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == ["good", "same", "bad"]
    assert "+0.0000 (+0.0000 to +0.0000)" in lines[3]
    assert lines[-1].split() == ["worse"] * 3


def test_the_page_has_the_table_and_a_plot_of_each_set(comparison, tmp_path):
    page = write_comparison(tmp_path, comparison).read_text()
    assert page.count('<svg class="plot"') == 3
    assert page.count('class="verdict bad">▼ worse<') == 3
    assert page.count('class="verdict noise">≈ noise<') == 3


def test_weights_and_settings_that_differ_are_listed_with_the_value_of_each_run(files, tmp_path):
    first = Evaluation.load(files["good"])
    config = replace(first.config, detector=replace(first.config.detector, nms_iou=0.3))
    other = replace(first, config=config, source="b.h5", sha256={"b.h5": "0123456789abcdef"})
    rows = {row.name: row.values for row in differing_settings([first, first, other])}
    assert rows["detector.nms_iou"] == ("0.4", "0.4", "0.3")
    assert rows["weights"] == (first.source, first.source, "b.h5")
    assert rows["SHA-256"][2] == "0123456789ab"
    assert rows.keys() == {"weights", "SHA-256", "detector.nms_iou"}


def test_detections_made_elsewhere_have_no_protocol_of_their_config(files):
    elsewhere = Evaluation.load(files["good"])
    ours = replace(elsewhere, protocol="original", config=with_eval(elsewhere, protocol="original"))
    [row] = differing_settings([ours, elsewhere])
    assert row == ("eval.protocol", ("original", "unknown"))


def test_the_page_ends_with_the_versions_that_all_runs_have_in_common(files, tmp_path):
    numpy = Evaluation.load(files["good"]).versions["numpy"]
    older = {"python": "3.11.0", "numpy": numpy}
    page = write_comparison(tmp_path, compare_with(files, tmp_path, versions=older)).read_text()
    foot = page.split("<footer>")[1]
    assert f"numpy {numpy}" in foot
    assert "python 3" not in foot


def compare_with(files, tmp_path, **changes):
    replace(Evaluation.load(files["good"]), **changes).save(tmp_path)
    return compare_evaluations([files["good"], tmp_path / "eval.json"], None, 100, 1)


def test_an_evaluation_without_its_predictions_is_named(files, tmp_path):
    with pytest.raises(InputError, match=rf"{tmp_path}/eval\.json: .*eval\.save_results"):
        compare_with(files, tmp_path, predictions=None)


def test_evaluations_at_different_iou_are_refused(files, tmp_path):
    config = Evaluation.load(files["good"]).config
    config = replace(config, eval=replace(config.eval, iou=0.7))
    with pytest.raises(InputError, match=r"eval\.iou .* 0\.5, 0\.7"):
        compare_with(files, tmp_path, config=config)


def with_eval(evaluation, **changes):
    config = evaluation.config
    return replace(config, eval=replace(config.eval, **changes))


@pytest.mark.parametrize(
    ("made_by", "difference"),
    [
        ({"protocol": "vga"}, "protocol vga, not original"),
        ({"protocol": None}, "protocol unknown, not original"),
        ({"protocol": "resized", "short_side": 800}, "protocol resized 800 2176, not original"),
        ({"protocol": "ms_flip", "short_sides": (500,)}, "protocol ms_flip 500, not original"),
    ],
)
def test_a_run_by_another_protocol_is_marked_and_neither_better_nor_worse(
    files, tmp_path, made_by, difference
):
    first = replace(Evaluation.load(files["bad"]), protocol="original")
    protocol, sizes = made_by["protocol"], {k: v for k, v in made_by.items() if k != "protocol"}
    other = replace(Evaluation.load(files["good"]), protocol=protocol)
    first.save(tmp_path / "first")
    replace(other, config=with_eval(other, **sizes)).save(tmp_path / "other")
    paths = [tmp_path / name / "eval.json" for name in ("first", "other")]
    comparison = compare_evaluations(paths, None, 100, 1)
    assert comparison.runs[1].differences == (difference,)
    assert [cell.verdict for cell in comparison.table[1].values()] == ["not comparable"] * 3
    assert str(comparison).splitlines()[-1].strip() == difference
    assert difference in write_comparison(tmp_path, comparison).read_text()


def test_predictions_of_one_maker_are_comparable_whoever_scored_them(files, tmp_path):
    run = Evaluation.load(files["good"])
    maker = replace(run, protocol="vga")
    maker.save(tmp_path / "maker")
    replace(run, made_by=maker).save(tmp_path / "scored")
    paths = [tmp_path / name / "eval.json" for name in ("maker", "scored")]
    assert compare_evaluations(paths, None, 100, 1).runs[1].differences == ()


def test_other_ground_truth_is_marked_unless_one_is_named_for_all(files, tmp_path):
    first = Evaluation.load(files["good"])
    truth = first.config.ground_truth_folder
    (tmp_path / "other").mkdir()
    config = with_eval(first, ground_truth=str(tmp_path / "other"))
    [difference] = compare_with(files, tmp_path, config=config).runs[1].differences
    assert difference == f"ground truth {tmp_path / 'other'}, not {truth}"
    paths = [files["good"], tmp_path / "eval.json"]
    assert compare_evaluations(paths, str(truth), 100, 1).runs[1].differences == ()


def test_another_number_of_images_is_marked(files, tmp_path):
    assert compare_with(files, tmp_path, images=39).runs[1].differences == ("images 39, not 40",)


def test_the_command_prints_the_table_and_writes_the_page(files, command, tmp_path):
    module = "-m", "retinaface_tf.evaluation.compare"
    done = command(*module, *files.values(), f"--report={tmp_path}", "--resamples=100")
    assert done.returncode == 0, done.stderr
    ap = json.loads(files["bad"].read_text())["ap"]["hard"]
    assert f"{ap:.4f}" in done.stdout
    assert (tmp_path / "compare.html").is_file()


def test_one_evaluation_alone_is_refused(command):
    done = command("-m", "retinaface_tf.evaluation.compare", "eval.json")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
