"""Compares evaluations: python -m retinaface_tf.evaluation.compare A/eval.json B/eval.json ...

Prints AP of each with an interval that 95 % of other samples of images would give, and the
difference of each to the first with an interval of its own, over the same images: where that holds
0, the difference is called noise. It needs the detections that `eval.py` keeps unless
`eval.save_results` is false, and the ground truth.
"""

from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import InputError
from retinaface_tf.extras import import_extra

_GROUND_TRUTH = flags.DEFINE_string("ground_truth", None, "Its folder, if not the first run's.")
_RESAMPLES = flags.DEFINE_integer("resamples", 1000, "Of the images.", lower_bound=100)
_SEED = flags.DEFINE_integer("seed", 1, "Of the resamples.", lower_bound=0)
_REPORT = flags.DEFINE_string("report", None, "Folder of a page with the table and the curves.")


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise InputError("expected two or more eval.json of eval.py to compare")
    if _REPORT.value:
        import_extra("matplotlib", "report")
    from retinaface_tf.evaluation.compare.comparison import compare_files

    paths = [Path(argument) for argument in arguments]
    comparison = compare_files(paths, _GROUND_TRUTH.value, _RESAMPLES.value, _SEED.value)
    print(comparison)
    if _REPORT.value:
        from retinaface_tf.evaluation.compare.page import write_comparison

        write_comparison(Path(_REPORT.value), comparison)
    return 0


if __name__ == "__main__":
    cli.run(main)
