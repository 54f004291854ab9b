"""Prints the AP of evaluations side by side: on both halves of the images, by height, by event.

    python benchmarks/ap_by_part.py ours/eval.json theirs/eval.json

An image belongs to the first or the second half by a hash of its name, whatever the data set.
Weights are chosen by the first half, so only the second half is fair to weights that were not.
Events come in the order of the difference on hard between the first evaluation and the last. The
evaluations need their detections, which `eval.py` keeps unless `eval.save_results` is false.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from retinaface_tf import cli
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import SETS, GroundTruth, evaluate_predictions
from retinaface_tf.evaluation.compare.comparison import kept_predictions
from retinaface_tf.evaluation.outcome import Outcome, examine
from retinaface_tf.evaluation.result import Evaluation
from retinaface_tf.evaluation.scoring import Predictions
from retinaface_tf.evaluation.subsets import ap_by_event, ap_by_height
from retinaface_tf.evaluation.wider import load_ground_truth

THRESHOLD = 0.5  # for the recall that comes with the subsets but is not printed


def main(arguments: list[str]) -> int:
    if not arguments:
        raise InputError("expected one or more eval.json files")
    halves: dict[str, list[Mapping[str, float]]] = {}
    outcomes: dict[str, Outcome] = {}
    for name in arguments:
        evaluation = Evaluation.load(Path(name))
        truth = load_ground_truth(evaluation.config.ground_truth_folder)
        predictions = kept_predictions(Path(name), evaluation)
        iou = evaluation.config.eval.iou
        halves[name] = [*ap_by_half(predictions, truth, iou), evaluation.ap]
        outcomes[name] = examine(predictions, truth, iou)
    print_halves(halves)
    print_heights(outcomes)
    print_events(outcomes)
    return 0


def half_of(image: str) -> int:
    """Returns 0 or 1, the half to which an image `event/name` belongs."""
    return hashlib.sha256(image.encode()).digest()[0] % 2


def ap_by_half(
    predictions: Predictions, truth: Mapping[str, GroundTruth], iou: float
) -> list[dict[str, float]]:
    """Computes AP on each half of the images."""
    halves = [{k: v for k, v in truth.items() if half_of(k) == half} for half in (0, 1)]
    return [
        evaluate_predictions({k: predictions[k] for k in part if k in predictions}, part, iou)
        for part in halves
    ]


def print_table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    print(f"| | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")
    print()


def print_halves(halves: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    rows = {
        name: [" / ".join(figure(ap[each]) for each in SETS) for ap in parts]
        for name, parts in halves.items()
    }
    print_table(["first half", "second half", "all images"], rows)


def print_heights(outcomes: Mapping[str, Outcome]) -> None:
    subsets = {name: ap_by_height(outcome, THRESHOLD) for name, outcome in outcomes.items()}
    first, *_ = subsets.values()
    rows = {"faces": [f"{subset.faces:,}" for subset in first]}
    rows |= {name: [figure(subset.ap) for subset in each] for name, each in subsets.items()}
    print_table([subset.name for subset in first], rows)


def print_events(outcomes: Mapping[str, Outcome]) -> None:
    columns = [ap_by_event(outcome, THRESHOLD) for outcome in outcomes.values()]
    rows = sorted(
        zip(*columns, strict=True), key=lambda events: events[0].ap["hard"] - events[-1].ap["hard"]
    )
    cells = {
        row[0].name: [f"{row[0].faces:,}", *(figure(e.ap["hard"]) for e in row)] for row in rows
    }
    print_table(["faces", *outcomes], cells)


def figure(ap: float) -> str:
    return f"{ap:.4f}".removeprefix("0")


if __name__ == "__main__":
    cli.run(main)
