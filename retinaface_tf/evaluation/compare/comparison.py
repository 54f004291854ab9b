"""Compares evaluations over the same images by bootstrap."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import (
    SETS,
    Curve,
    average_precision,
    precision_recall_of,
)
from retinaface_tf.evaluation.bootstrap import (
    ImageCounts,
    count_by_image,
    interval,
    resampled_ap,
)
from retinaface_tf.evaluation.compare.conditions import differences
from retinaface_tf.evaluation.compare.settings import (
    DifferingSetting,
    common_versions,
    differing_settings,
)
from retinaface_tf.evaluation.outcome import Outcome, examine
from retinaface_tf.evaluation.prediction_files import read_predictions
from retinaface_tf.evaluation.result import Evaluation
from retinaface_tf.evaluation.scoring import Predictions
from retinaface_tf.evaluation.wider import load_ground_truth


class Run(NamedTuple):
    """Holds the curves of an evaluation, and the counts behind them, by set."""

    name: str
    curves: dict[str, Curve]
    counts: dict[str, ImageCounts]
    differences: tuple[str, ...]  # of its conditions from the first run's, such as the protocol


class Cell(NamedTuple):
    """Holds the AP of a run on a set, and its difference from the first run."""

    ap: float
    interval: tuple[float, float]  # 95 %
    difference: float
    difference_interval: tuple[float, float]  # 95 %
    is_comparable: bool  # whether both runs were measured under the same conditions

    @property
    def is_noise(self) -> bool:
        """Tells whether the difference may come from the choice of images alone."""
        return self.difference_interval[0] <= 0 <= self.difference_interval[1]

    @property
    def verdict(self) -> str:
        """Returns noise, better, worse (than the first run) or not comparable."""
        if not self.is_comparable:
            return "not comparable"
        return "noise" if self.is_noise else "better" if self.difference > 0 else "worse"


class Comparison(NamedTuple):
    """Holds runs and their table, with a row of cells by set for each run."""

    runs: list[Run]
    table: list[dict[str, Cell]]
    images: int  # on which all runs were evaluated
    settings: list[DifferingSetting]
    versions: dict[str, str]  # those that all runs have in common

    def __str__(self) -> str:
        """Formats the table for a terminal."""
        width = max(len(run.name) for run in self.runs) + 2
        lines = [" " * width + "".join(f"{name.capitalize():<30}" for name in SETS)]
        for i, (run, row) in enumerate(zip(self.runs, self.table, strict=True)):
            cells = [
                f"{cell.ap:.4f} ({cell.interval[0]:.4f} to {cell.interval[1]:.4f})"
                for cell in row.values()
            ]
            lines.append(f"{run.name:<{width}}" + "".join(f"{cell:<30}" for cell in cells))
            if i:
                lines += [
                    " " * width + "".join(f"{text:<30}" for text in column)
                    for column in zip(*(_difference(cell) for cell in row.values()), strict=True)
                ]
                lines += [f"{' ' * width}{difference}" for difference in run.differences]
        return "\n".join(line.rstrip() for line in lines)


def compare_evaluations(
    files: Sequence[Path], ground_truth: str | None, resamples: int, seed: int
) -> Comparison:
    """Compares evaluations by their `eval.json`.

    A run that was measured under other conditions than the first (another protocol or ground truth)
    is marked, and called neither better nor worse.

    Args:
        files: two or more; their detections must have been kept.
        ground_truth: the folder of the ground truth; None is that of the first config.
        resamples: number of resamples of the images.
        seed: of the resamples.

    Raises:
        InputError: a file is missing or broken, or the evaluations match faces at different IoUs.
    """
    evaluations = [Evaluation.load(file) for file in files]
    first = evaluations[0]
    truth = load_ground_truth(ground_truth or first.config.ground_truth_folder)
    ious = sorted({evaluation.config.eval.iou for evaluation in evaluations})
    if len(ious) > 1:
        raise InputError(f"expected the same eval.iou in all, found {', '.join(map(str, ious))}")
    runs = [
        _run(
            name,
            examine(kept_predictions(file, evaluation), truth, ious[0]),
            differences(evaluation, first, own_truth=ground_truth is None),
        )
        for name, file, evaluation in zip(_names(files), files, evaluations, strict=True)
    ]
    table = _table(runs, resamples, seed)
    settings, versions = differing_settings(evaluations), common_versions(evaluations)
    return Comparison(runs, table, len(truth), settings, versions)


def _table(runs: Sequence[Run], resamples: int, seed: int) -> list[dict[str, Cell]]:
    """Fills a row for each run, with a cell for each set."""
    table: list[dict[str, Cell]] = [{} for _ in runs]
    for name in SETS:
        samples = resampled_ap([run.counts[name] for run in runs], resamples, seed)
        ap = [average_precision(run.curves[name]) for run in runs]
        for run, row, own, value in zip(runs, table, samples, ap, strict=True):
            of_difference = interval(own - samples[0])
            row[name] = Cell(
                value, interval(own), value - ap[0], of_difference, not run.differences
            )
    return table


def _difference(cell: Cell) -> tuple[str, str]:
    low, high = cell.difference_interval
    return f"{cell.difference:+.4f} ({low:+.4f} to {high:+.4f})", cell.verdict


def _run(name: str, outcome: Outcome, differences: tuple[str, ...]) -> Run:
    return Run(
        name,
        {each: precision_recall_of(outcome.matches, outcome.in_set[each]) for each in SETS},
        {each: count_by_image(outcome, each) for each in SETS},
        differences,
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Names evaluations by their folders, in the shortest form that tells them apart."""
    for name in (lambda path: path.resolve().parent.name, lambda path: str(path.parent), str):
        names = [name(path) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def kept_predictions(file: Path, evaluation: Evaluation) -> Predictions:
    """Reads the detections that an evaluation scored.

    Raises:
        InputError: they were not kept, as the message says of `file`, or cannot be read.
    """
    if evaluation.predictions is None:
        raise InputError(
            f"{file}: its detections were not kept; evaluate again with "
            f"--set eval.save_results=true"
        )
    return read_predictions(evaluation.predictions)
