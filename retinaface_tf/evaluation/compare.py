"""Compares evaluations: python -m retinaface_tf.evaluation.compare A/eval.json B/eval.json ...

Prints AP of each with an interval that 95 % of other samples of images would give, and the
difference of each to the first with an interval of its own, over the same images: where that holds
0, the difference is called noise. It needs the detections that `eval.py` keeps unless
`eval.save_results` is false, and the ground truth.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from pydantic import TypeAdapter, ValidationError

from retinaface_tf import cli
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
from retinaface_tf.evaluation.report import read_report
from retinaface_tf.evaluation.wider import load_ground_truth, read_predictions

_GROUND_TRUTH = flags.DEFINE_string("ground_truth", None, "Its folder, if not the first run's.")
_RESAMPLES = flags.DEFINE_integer("resamples", 1000, "Of the images.", lower_bound=100)
_SEED = flags.DEFINE_integer("seed", 1, "Of the resamples.", lower_bound=0)
_REPORT = flags.DEFINE_string("report", None, "Folder of a page with the table and the curves.")


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


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise InputError("expected two or more eval.json of eval.py to compare")
    if _REPORT.value:  # its packages may be missing
        from retinaface_tf.evaluation.page import write_comparison
    paths = [Path(argument) for argument in arguments]
    reports = [read_report(path) for path in paths]
    configs = [_config(*each) for each in zip(paths, reports, strict=True)]
    truth = load_ground_truth(_GROUND_TRUTH.value or configs[0].ground_truth_folder)
    ious = sorted({config.eval.iou for config in configs})
    if len(ious) > 1:
        raise InputError(f"expected one eval.iou for all, found {', '.join(map(str, ious))}")
    names = _names(paths)
    runs = [
        _run(name, _predictions(path, report), truth, ious[0])
        for name, path, report in zip(names, paths, reports, strict=True)
    ]
    table = compare(runs, _RESAMPLES.value, _SEED.value)
    print(as_text(names, table))
    if _REPORT.value:
        write_comparison(Path(_REPORT.value), runs, table, len(truth))
    return 0


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


def as_text(names: Sequence[str], table: Sequence[Mapping[str, Cell]]) -> str:
    """Lines for a terminal."""
    width = max(len(name) for name in names) + 2
    lines = [" " * width + "".join(f"{name.capitalize():<30}" for name in SETS)]
    for i, (name, row) in enumerate(zip(names, table, strict=True)):
        cells = [
            f"{cell.ap:.4f} ({cell.between[0]:.4f} to {cell.between[1]:.4f})"
            for cell in row.values()
        ]
        lines.append(f"{name:<{width}}" + "".join(f"{cell:<30}" for cell in cells))
        if i:
            lines += [
                " " * width + "".join(f"{text:<30}" for text in column)
                for column in zip(*(_difference(cell) for cell in row.values()), strict=True)
            ]
    return "\n".join(line.rstrip() for line in lines)


def _difference(cell: Cell) -> tuple[str, str]:
    low, high = cell.difference_between
    verdict = "noise" if cell.is_noise else "better" if cell.difference > 0 else "worse"
    return f"{cell.difference:+.4f} ({low:+.4f} to {high:+.4f})", verdict


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


if __name__ == "__main__":
    cli.run(main)
