"""Removes what a killed process has left half-written in a run's folder."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from retinaface_tf.config_file import RUN_CONFIG
from retinaface_tf.files import scratch_of
from retinaface_tf.runtimes.locate import CHECKPOINTS
from retinaface_tf.runtimes.run_folder import BEST_FILE, BEST_WEIGHTS, TENSORFLOW_LIST
from retinaface_tf.training.run_json import RUN_FILE

BAD_BATCHES = "bad_batches"  # folder of the batches that a run has kept

log = logging.getLogger(__name__)


def remove_leftovers(workdir: Path) -> None:
    """Removes files and folders that were never renamed to their final names.

    No other run may be writing in the folder.
    """
    found = [path for path in _leftovers(workdir) if path.exists()]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if found:
        log.info("%s: removed %d half-written, such as %s", workdir, len(found), found[0].name)


def _leftovers(workdir: Path) -> Iterator[Path]:
    for name in (RUN_CONFIG, RUN_FILE, BEST_FILE, BEST_WEIGHTS):
        yield scratch_of(workdir / name)
    checkpoints = workdir / CHECKPOINTS
    yield scratch_of(checkpoints / TENSORFLOW_LIST)
    yield from checkpoints.glob(f"{TENSORFLOW_LIST}.tmp*")  # of TensorFlow
    yield from checkpoints.glob("step-*_temp")  # of TensorFlow, and the next two of `atomic_file`
    yield from checkpoints.glob(".step-*")
    yield from (workdir / BAD_BATCHES).glob(".step-*")
