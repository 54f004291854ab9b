r"""Times scoring of a whole validation set on one core, from a zip to AP, beside a peer.

    python benchmarks/evaluator.py --predictions predictions.zip --ground_truth ground_truth \
        --biubug6 CHECKOUT

A piece of work is the whole set. The peer is a checkout that the user names (see peers.py), whose
widerface_evaluate/evaluation.py scores the same files, unpacked. It takes long and is timed once.
"""

import os
import tempfile
import time

import peers
import turns
from absl import flags

from retinaface_tf import cli
from retinaface_tf.evaluation.average_precision import evaluate_predictions
from retinaface_tf.evaluation.prediction_files import read_predictions, write_predictions
from retinaface_tf.evaluation.result import format_ap
from retinaface_tf.evaluation.wider import load_ground_truth

_PREDICTIONS = flags.DEFINE_string("predictions", None, "A folder or zip of predictions.")
_GROUND_TRUTH = flags.DEFINE_string("ground_truth", None, "The folder of the four .mat files.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each.", lower_bound=1)
_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
flags.mark_flags_as_required(["predictions", "ground_truth"])


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    if hasattr(os, "sched_setaffinity"):  # only on Linux
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    archive, folder = _PREDICTIONS.value, _GROUND_TRUTH.value
    predictions, truth = read_predictions(archive), load_ground_truth(folder)
    contestants = {
        "zip to AP": turns.over(
            [(archive, folder)],
            lambda a, f: evaluate_predictions(read_predictions(a), load_ground_truth(f)),
        ),
        "reading predictions": turns.over([(archive,)], read_predictions),
        "reading ground truth": turns.over([(folder,)], load_ground_truth),
        "AP alone": turns.over([(predictions, truth)], evaluate_predictions),
    }
    measured = turns.take_turns(contestants, rounds=_ROUNDS.value, pieces=1)
    turns.report(measured, images=len(truth))
    print(format_ap(evaluate_predictions(predictions, truth)))
    if _BIUBUG6.value:
        with tempfile.TemporaryDirectory() as unpacked:
            write_predictions(unpacked, predictions)
            start = time.perf_counter()
            peers.biubug6_evaluation(_BIUBUG6.value, unpacked, folder)
            seconds = time.perf_counter() - start
        ratio = seconds / turns.median(measured["zip to AP"]).wall
        print(f"biubug6's: {seconds:.1f} s, {ratio:.0f} times ours")
    return 0


if __name__ == "__main__":
    cli.run(main)
