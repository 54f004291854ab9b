"""Runs a batch on Spark, which spreads shards over its executors and retries lost ones."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from functools import cache
from typing import TYPE_CHECKING

from retinaface_tf.batch.shards import Shard
from retinaface_tf.batch.worker import Job, ShardResult, Worker
from retinaface_tf.errors import InputError

if TYPE_CHECKING:
    import pandas

_SHARD, _RESULT = "manifest string, group int, images int", "images int, error string"


def run_on_spark(job: Job, shards: Sequence[Shard], workers: int | None) -> Iterator[ShardResult]:
    """Processes each shard in a task; the session's configuration says how many run at once.

    Args:
        job: of the batch.
        shards: to process.
        workers: has no effect.

    Raises:
        InputError: pyspark is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise InputError(f"{error}; it comes with: pip install pyspark pandas pyarrow") from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # for the workers
    session = SparkSession.builder.appName("retinaface batch").getOrCreate()

    def detect(frames: Iterator["pandas.DataFrame"]) -> Iterator["pandas.DataFrame"]:
        import pandas

        for frame in frames:
            rows = frame.itertuples(index=False, name=None)
            results = [_worker(job)(Shard(*row)) for row in rows]
            yield pandas.DataFrame(results, columns=ShardResult._fields)

    rows = session.sparkContext.parallelize([astuple(shard) for shard in shards], len(shards))
    found = session.createDataFrame(rows, _SHARD).mapInPandas(detect, _RESULT).collect()
    return (ShardResult(*result) for result in found)


@cache
def _worker(job: Job) -> Worker:
    """Returns the worker of this process, which Spark keeps from task to task."""
    return Worker(job)
