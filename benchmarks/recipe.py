r"""Climbs a ladder of recipes: trains each rung with several seeds, and prints its gain.

    python benchmarks/recipe.py benchmarks/recipe.yaml --out runs/recipe --seeds 3 \
        --cfg configs/mobilenet025.yaml --set data.root=... --set model.pretrained=...

A ladder is a YAML file with `bench`, the settings of every rung, and `rungs`, each with a `name`,
the settings that it adds (`set`), the rung to which it adds them (`to`; by default the one before),
and the number of seeds if it should have fewer than others (`seeds`). Runs go one after the other,
at low priority, into OUT/NAME/SEED. The same command resumes interrupted runs and skips evaluated
ones, so that rungs and seeds may be added. The table has means over seeds with their standard
errors, and the difference of each rung from its base and from the first rung, with the 95 %
interval of a bootstrap over the images. `OUT/ladder.svg` shows the APs (needs matplotlib).
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from absl import flags
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from retinaface_tf import cli
from retinaface_tf.config_flags import config_arguments
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import (
    SETS,
    average_precision,
    precision_recall_of,
)
from retinaface_tf.evaluation.bootstrap import ImageCounts, count_by_image, interval, resampled_ap
from retinaface_tf.evaluation.compare.comparison import kept_predictions
from retinaface_tf.evaluation.outcome import Outcome, examine
from retinaface_tf.evaluation.result import EVAL_FILE, Evaluation
from retinaface_tf.evaluation.subsets import ap_by_height
from retinaface_tf.evaluation.wider import load_ground_truth
from retinaface_tf.geometry.heights import HEIGHT_NAMES
from retinaface_tf.yaml_text import parse_yaml

ROOT = Path(__file__).parents[1]
RESAMPLES = 1000
THRESHOLD = 0.5  # for the recall that comes with AP by height but is not printed
COLUMNS = (*SETS, *HEIGHT_NAMES)

_OUT = flags.DEFINE_string("out", "runs/recipe", "Folder for the runs.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds of each rung, from 1 on.", lower_bound=1)
_NICE = flags.DEFINE_integer("nice", 10, "By how much to lower the priority.", lower_bound=0)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Rung:
    name: str
    set: tuple[str, ...] = ()  # settings, as for --set
    to: str | None = None  # the rung to which the settings are added; None is the one before
    seeds: int | None = Field(default=None, ge=1)  # the most seeds to train; None is no limit


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Ladder:
    rungs: tuple[Rung, ...] = Field(min_length=1)
    bench: tuple[str, ...] = ()  # settings of all rungs

    def base(self, rung: Rung) -> Rung | None:
        """Returns the rung to which a rung adds; None for the first."""
        number = self.rungs.index(rung)
        if number == 0:
            return None
        names = [each.name for each in self.rungs[:number]]
        return self.rungs[names.index(rung.to) if rung.to else number - 1]

    def settings(self, rung: Rung) -> tuple[str, ...]:
        """Returns all settings of a rung, later ones overriding earlier ones."""
        base = self.base(rung)
        return (*(self.settings(base) if base else self.bench), *rung.set)


def main(arguments: list[str]) -> int:
    if len(arguments) > 1:
        raise InputError("expected one ladder: python benchmarks/recipe.py LADDER.yaml")
    ladder = read_ladder(Path(*arguments) if arguments else ROOT / "benchmarks" / "recipe.yaml")
    out, seeds = Path(_OUT.value), range(1, _SEEDS.value + 1)
    for seed in seeds:  # all rungs, before the next seed of any
        for rung in ladder.rungs:
            if seed in seeds[: rung.seeds]:
                run(ladder.settings(rung), out / rung.name / str(seed), seed)
    results = {rung.name: Result(rung, out, seeds[: rung.seeds]) for rung in ladder.rungs}
    print_table(ladder, results)
    plot([*results.values()], out / "ladder.svg")
    return 0


def read_ladder(path: Path) -> Ladder:
    try:
        ladder = TypeAdapter(Ladder).validate_python(parse_yaml(path.read_text(encoding="utf-8")))
        for rung in ladder.rungs:
            ladder.base(rung)
    except (OSError, ValidationError, ValueError) as error:
        raise InputError(f"{path}: expected a ladder of rungs: {error}") from None
    return ladder


def run(settings: Sequence[str], folder: Path, seed: int) -> None:
    """Trains and evaluates one rung with one seed, unless that is done already."""
    if (folder / "eval" / EVAL_FILE).exists():
        return
    workdir = [f"--workdir={folder}"]
    values = [f"--set={value}" for value in (*settings, f"train.seed={seed}")]
    config = [*config_arguments(), *values, *workdir]
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        command("train.py", config, folder)
    finally:  # adds up if a run is interrupted
        with (folder / "seconds.txt").open("a") as file:
            file.write(f"{time.monotonic() - began:.0f}\n")
    command("eval.py", [*config, "--set=eval.save_results=true"], folder)


def command(script: str, arguments: Sequence[str], folder: Path) -> None:
    print(f"{script} {folder}", flush=True)
    with (folder / f"{script}.log").open("a") as log:
        done = subprocess.run(
            [sys.executable, str(ROOT / script), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.nice(_NICE.value),
            check=False,
        )
    if done.returncode:
        raise InputError(f"{folder / script}.log: {script} ended with exit code {done.returncode}")


class Result:
    """Holds the AP of a rung's seeds, and what a bootstrap needs."""

    def __init__(self, rung: Rung, out: Path, seeds: Sequence[int]):
        self.name = rung.name
        folders = [out / rung.name / str(seed) for seed in seeds]
        outcomes = [outcome_of(folder) for folder in folders]
        self.ap = np.array([ap_of(outcome) for outcome in outcomes])  # [seeds, COLUMNS]
        self.counts: Mapping[str, list[ImageCounts]] = {
            name: [count_by_image(outcome, name) for outcome in outcomes] for name in SETS
        }
        texts = [(folder / "seconds.txt").read_text() for folder in folders]
        self.seconds = float(np.mean([sum(map(float, text.split())) for text in texts]))

    @property
    def mean(self) -> NDArray[np.float64]:
        return self.ap.mean(axis=0)

    @property
    def error(self) -> NDArray[np.float64]:
        """Returns the standard errors of the means; NaN for a single seed."""
        seeds = len(self.ap)
        if seeds == 1:
            return np.full(len(COLUMNS), np.nan)
        return self.ap.std(axis=0, ddof=1) / np.sqrt(seeds)


def outcome_of(folder: Path) -> Outcome:
    file = folder / "eval" / EVAL_FILE
    evaluation = Evaluation.load(file)
    truth = load_ground_truth(evaluation.config.ground_truth_folder)
    return examine(kept_predictions(file, evaluation), truth, evaluation.config.eval.iou)


def ap_of(outcome: Outcome) -> list[float]:
    """Returns the AP for each of COLUMNS."""
    sets = [
        average_precision(precision_recall_of(outcome.matches, outcome.in_set[name]))
        for name in SETS
    ]
    return sets + [subset.ap for subset in ap_by_height(outcome, THRESHOLD)]


def print_table(ladder: Ladder, results: Mapping[str, Result]) -> None:
    """Prints a Markdown table of all rungs."""
    print(f"| rung | {' | '.join(COLUMNS)} | seconds |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for rung in ladder.rungs:
        result, base = results[rung.name], ladder.base(rung)
        cells = map(with_error, result.mean, result.error)
        print(f"| {rung.name} | {' | '.join(cells)} | {result.seconds:.0f} |")
        if base is None:
            continue
        for other in dict.fromkeys((base.name, ladder.rungs[0].name)):
            cells = differences(result, results[other])
            print(f"| less {other} | {' | '.join(cells)} | |")


def with_error(value: float, error: float, form: str = ".4f") -> str:
    return f"{value:{form}}" + (f" ± {error:.4f}" if np.isfinite(error) else "")


def differences(result: Result, other: Result) -> list[str]:
    """Formats differences from another rung, with their errors, and for sets their intervals."""
    error = np.hypot(result.error, other.error)
    cells = [
        with_error(*each, "+.4f") for each in zip(result.mean - other.mean, error, strict=True)
    ]
    for i, name in enumerate(SETS):
        runs = [*result.counts[name], *other.counts[name]]
        ap = resampled_ap(runs, RESAMPLES, seed=0)
        seeds = len(result.counts[name])
        low, high = interval(ap[:seeds].mean(axis=0) - ap[seeds:].mean(axis=0))
        cells[i] += f" ({low:+.4f} to {high:+.4f})"
    return cells


def plot(results: Sequence[Result], file: Path) -> None:
    """Draws the AP of each rung: a dot for each seed, a line for the mean."""
    with mpl.rc_context({"svg.hashsalt": "retinaface_tf"}):  # equal plots have equal bytes
        figure = Figure(figsize=(9, 1 + 0.4 * len(results)), layout="constrained")
        panels = figure.subplots(1, len(SETS), sharey=True)
        rows = range(len(results))
        for panel, (i, name) in zip(panels, enumerate(SETS), strict=True):
            for row, result in zip(rows, results, strict=True):
                panel.plot(result.ap[:, i], [row] * len(result.ap), "o", color="tab:blue")
                panel.plot(result.mean[i], row, "|", color="black", markersize=16)
            panel.set(xlabel=f"AP {name}")
            panel.grid(axis="x", alpha=0.3)
        panels[0].set_yticks(rows, [result.name for result in results])
        panels[0].invert_yaxis()
        figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    cli.run(main)
