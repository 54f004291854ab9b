"""Compares evaluations: python -m retinaface_tf.evaluation.compare A/eval.json B/eval.json ...

Prints the AP of each run with its 95 % interval over samples of images, and the difference of each
run from the first with its own interval, over the same images. A difference whose interval contains
0 is called noise. A run with another protocol or ground truth than the first is marked, and called
neither better nor worse; `--ground_truth` sets one for all.

The command needs the ground truth and the detections, which `eval.py` keeps unless
`eval.save_results` is false.
"""

from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import InputError
from retinaface_tf.extras import import_extra
from retinaface_tf.printing import say

_GROUND_TRUTH = flags.DEFINE_string(
    "ground_truth", None, "Folder of the ground truth; else the first run's."
)
_RESAMPLES = flags.DEFINE_integer("resamples", 1000, "Number of resamples.", lower_bound=100)
_SEED = flags.DEFINE_integer("seed", 1, "Seed of the resamples.", lower_bound=0)
_REPORT = flags.DEFINE_string("report", None, "Folder for a page with table and curves.")


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise InputError("expected two or more eval.json files to compare")
    if _REPORT.value:
        import_extra("matplotlib", "report")
    from retinaface_tf.evaluation.compare.comparison import compare_evaluations

    paths = [Path(argument) for argument in arguments]
    comparison = compare_evaluations(paths, _GROUND_TRUTH.value, _RESAMPLES.value, _SEED.value)
    say(comparison)
    if _REPORT.value:
        from retinaface_tf.evaluation.compare.page import write_comparison

        write_comparison(Path(_REPORT.value), comparison)
    return 0


if __name__ == "__main__":
    cli.run(main)
