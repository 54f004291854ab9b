"""Detects faces in many images: retinaface batch SOURCE... --weights MODEL --out FOLDER.

A SOURCE is an image, a folder, which is searched with all its subfolders, a pattern such as
'a/*.jpg', a .txt file with one path per line, or a Parquet file with a column `path`, `bytes` or
`content`. The command writes `summary.json`, and `detections/part-*.parquet` with a row for each
image, by the schema in `batch/results.py`. Run it again to finish what is left. A missing, broken
or huge file becomes a row with an error.
"""

import logging
from pathlib import Path

from absl import flags

from retinaface_tf import cli
from retinaface_tf.detections import DEFAULT_SCORE
from retinaface_tf.errors import InputError
from retinaface_tf.extras import import_extra

ENGINE_NAMES = ["local", "ray", "spark"]  # keys of `run.ENGINES`, so that help need not import it

_WEIGHTS = flags.DEFINE_string(
    "weights", None, "A run's folder, a weights file, or an exported model."
)
_OUT = flags.DEFINE_string("out", "batch", "Folder for the results, which all workers reach.")
_ENGINE = flags.DEFINE_enum(
    "engine",
    "local",
    ENGINE_NAMES,
    "local: this process; ray: the cluster of RAY_ADDRESS, or else all cores of this machine; "
    "spark: the session of spark-submit.",
)
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Processes of the engine ray; else one for each GPU, or each core.", 1
)
_SCORE = flags.DEFINE_float("score", DEFAULT_SCORE, "Leaves out faces below this score.", 0.0, 1.0)


def main(arguments: list[str]) -> int:
    if not arguments:
        raise InputError("expected images, folders or lists: retinaface batch SOURCE...")
    if _WEIGHTS.value is None:
        raise InputError("--weights: expected a run's folder, weights, or an exported model")
    if _WORKERS.value is not None and _ENGINE.value != "ray":
        raise InputError(f"--workers: needs --engine=ray, found --engine={_ENGINE.value}")
    import_extra("pyarrow.dataset", "ray")
    from retinaface_tf.batch.run import run_batch

    summary = run_batch(
        arguments,
        Path(_OUT.value),
        _WEIGHTS.value,
        engine=_ENGINE.value,
        workers=_WORKERS.value,
        score_threshold=_SCORE.value,
    )
    logging.info("%s, written to %s", summary, _OUT.value)
    return 0


if __name__ == "__main__":
    cli.run(main)
