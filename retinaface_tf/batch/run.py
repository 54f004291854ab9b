"""Runs a batch: plans it, has an engine do what is left, and counts the results."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tqdm import tqdm

from retinaface_tf.batch.local import run_locally
from retinaface_tf.batch.ray import run_on_ray
from retinaface_tf.batch.results import Summary, finished_parts, summarise
from retinaface_tf.batch.shards import Shard, plan_shards
from retinaface_tf.batch.sources import find_images
from retinaface_tf.batch.spark import run_on_spark
from retinaface_tf.batch.worker import Job, ShardResult
from retinaface_tf.detections import DEFAULT_SCORE
from retinaface_tf.errors import InputError
from retinaface_tf.files import write_text

SETTINGS = "batch.json"  # in a batch's folder: the settings with which all rows were made

# Processes shards, in any order, with the given number of workers or as many as it sees fit.
Engine = Callable[[Job, Sequence[Shard], int | None], Iterator[ShardResult]]
ENGINES: Mapping[str, Engine] = MappingProxyType(
    {"local": run_locally, "ray": run_on_ray, "spark": run_on_spark}
)


def run_batch(
    sources: Sequence[str],
    out: Path,
    model: str,
    *,
    engine: str = "local",
    workers: int | None = None,
    score_threshold: float = DEFAULT_SCORE,
) -> Summary:
    """Detects faces in all images that the sources name, and continues where it was stopped.

    Args:
        sources: as for `find_images`.
        out: folder of the batch, which all workers reach by the same path.
        model: as for `load_detector`.
        engine: a key of ENGINES.
        workers: processes of the engine `ray`; None means as many as the cluster has GPUs or cores.
        score_threshold: faces with lower scores are left out.

    Returns:
        How many images, faces and errors there are, including those of earlier runs.

    Raises:
        InputError: nothing is at a source, there is no such model, or the folder was begun with
            another model or score.
    """
    path = os.path.abspath(model) if os.path.exists(model) else model
    job = Job(path, os.path.abspath(out), score_threshold)
    _keep_settings(out, job)
    shards = plan_shards(find_images(sources, out), out)
    finished = finished_parts(out)
    left = [shard for shard in shards if shard.part not in finished]
    total = sum(shard.images for shard in shards)
    done = total - sum(shard.images for shard in left)
    with tqdm(*(), total=total, initial=done, unit="image", disable=not sys.stderr.isatty()) as bar:
        for result in ENGINES[engine](job, left, workers) if left else ():
            if result.error is not None:
                raise InputError(result.error)
            bar.update(result.images)
    return summarise(out)


def _keep_settings(out: Path, job: Job) -> None:
    """Writes the settings of the rows, or compares them with those already written.

    Raises:
        InputError: the folder was begun with other settings.
    """
    file, settings = out / SETTINGS, {"model": job.model, "score": job.score}
    if not file.exists():
        out.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(settings, indent=2) + "\n")
        return
    begun = json.loads(file.read_text(encoding="utf-8"))
    if begun != settings:
        raise InputError(
            f"{file}: begun with model {begun['model']} and score {begun['score']}, found "
            f"{job.model} and {job.score}; use the same, or another --out"
        )
