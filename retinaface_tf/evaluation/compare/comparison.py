"""Compares evaluations over the same images, by a bootstrap."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import (
    SETS,
    Curve,
    GroundTruth,
    average_precision,
    precision_recall_of,
)
from retinaface_tf.evaluation.bootstrap import (
    ImageCounts,
    count_by_image,
    interval,
    resampled_ap,
)
from retinaface_tf.evaluation.outcome import examine
from retinaface_tf.evaluation.result import read_report
from retinaface_tf.evaluation.wider import load_ground_truth, read_predictions


class Run(NamedTuple):
    """What is compared, by set."""

    name: str
    curves: dict[str, Curve]
    counts: dict[str, ImageCounts]


class Cell(NamedTuple):
    """A run in a set; differences are to the first run."""

    ap: float
    between: tuple[float, float]
    difference: float
    difference_between: tuple[float, float]

    @property
    def is_noise(self) -> bool:
        """Whether a difference as this may come from the choice of images alone."""
        return self.difference_between[0] <= 0 <= self.difference_between[1]

    @property
    def verdict(self) -> str:
        """Noise, better or worse than the first run."""
        return "noise" if self.is_noise else "better" if self.difference > 0 else "worse"


class Comparison(NamedTuple):
    """Runs, and of each a cell by set."""

    runs: list[Run]
    table: list[dict[str, Cell]]
    images: int  # how many they were evaluated on

    def __str__(self) -> str:
        """Lines for a terminal."""
        width = max(len(run.name) for run in self.runs) + 2
        lines = [" " * width + "".join(f"{name.capitalize():<30}" for name in SETS)]
        for i, (run, row) in enumerate(zip(self.runs, self.table, strict=True)):
            cells = [
                f"{cell.ap:.4f} ({cell.between[0]:.4f} to {cell.between[1]:.4f})"
                for cell in row.values()
            ]
            lines.append(f"{run.name:<{width}}" + "".join(f"{cell:<30}" for cell in cells))
            if i:
                lines += [
                    " " * width + "".join(f"{text:<30}" for text in column)
                    for column in zip(*(_difference(cell) for cell in row.values()), strict=True)
                ]
        return "\n".join(line.rstrip() for line in lines)


def compare_files(
    files: Sequence[Path], ground_truth: str | None, resamples: int, seed: int
) -> Comparison:
    """Compares evaluations by their `eval.json`.

    Args:
        files: two or more; their detections must have been kept.
        ground_truth: its folder; None is that of the first evaluation's config.
        resamples: of the images.
        seed: of the resamples.

    Raises:
        InputError: a file is missing or broken, or they match faces at different IoU.
    """
    reports = [read_report(file) for file in files]
    configs = [_config(*each) for each in zip(files, reports, strict=True)]
    truth = load_ground_truth(ground_truth or configs[0].ground_truth_folder)
    ious = sorted({config.eval.iou for config in configs})
    if len(ious) > 1:
        raise InputError(f"expected one eval.iou for all, found {', '.join(map(str, ious))}")
    runs = [
        _run(name, _predictions(file, report), truth, ious[0])
        for name, file, report in zip(_names(files), files, reports, strict=True)
    ]
    return Comparison(runs, compare(runs, resamples, seed), len(truth))


def compare(runs: Sequence[Run], resamples: int, seed: int) -> list[dict[str, Cell]]:
    """Of each run a cell of each set."""
    table: list[dict[str, Cell]] = [{} for _ in runs]
    for name in SETS:
        samples = resampled_ap([run.counts[name] for run in runs], resamples, seed)
        ap = [average_precision(run.curves[name]) for run in runs]
        for row, own, value in zip(table, samples, ap, strict=True):
            between = interval(own - samples[0])
            row[name] = Cell(value, interval(own), value - ap[0], between)
    return table


def _difference(cell: Cell) -> tuple[str, str]:
    low, high = cell.difference_between
    return f"{cell.difference:+.4f} ({low:+.4f} to {high:+.4f})", cell.verdict


def _run(
    name: str, predictions: Mapping[str, Any], truth: Mapping[str, GroundTruth], iou: float
) -> Run:
    outcome = examine(predictions, truth, iou)
    return Run(
        name,
        {each: precision_recall_of(outcome.matches, outcome.counted[each]) for each in SETS},
        {each: count_by_image(outcome, each) for each in SETS},
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders of the reports, as short as they differ; or else their paths."""
    for name in (lambda path: path.resolve().parent.name, lambda path: str(path.parent), str):
        names = [name(path) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def _config(path: Path, report: Mapping[str, Any]) -> Config:
    try:
        return TypeAdapter(Config).validate_python(report["config"])
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputError(f"{path}: config: {where}: {error.errors()[0]['msg']}") from None


def _predictions(path: Path, report: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    if report["predictions"] is None:
        raise InputError(
            f"{path}: its detections were not kept; evaluate again with "
            f"--set eval.save_results=true"
        )
    return read_predictions(path.parent / report["predictions"])
