"""Compares evaluations: python -m retinaface_tf.evaluation.compare A/eval.json B/eval.json ...

Prints AP of each run with its 95 % interval over samples of images, and the difference of each run
to the first with an interval of its own, over the same images. A difference whose interval contains
0 is called noise. A run by another protocol than the first, or with other ground truth, is marked
and called neither better nor worse; `--ground_truth` names one for all.

The command needs the ground truth and the detections, which `eval.py` keeps unless
`eval.save_results` is false.
"""

from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import InputError
from retinaface_tf.extras import import_extra
from retinaface_tf.printing import say

_GROUND_TRUTH = flags.DEFINE_string("ground_truth", None, "Its folder, if not the first run's.")
_RESAMPLES = flags.DEFINE_integer("resamples", 1000, "Of the images.", lower_bound=100)
_SEED = flags.DEFINE_integer("seed", 1, "Of the resamples.", lower_bound=0)
_REPORT = flags.DEFINE_string("report", None, "Folder of a page with the table and the curves.")


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise InputError("expected two or more eval.json to compare")
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
