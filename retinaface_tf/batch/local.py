"""Runs a batch in this process, on all of its cores."""

from collections.abc import Iterator, Sequence

from retinaface_tf.batch.shards import Shard
from retinaface_tf.batch.worker import Job, ShardResult, Worker


def run_locally(job: Job, shards: Sequence[Shard], workers: int | None) -> Iterator[ShardResult]:
    """Processes shard by shard; `workers` has no effect."""
    return map(Worker(job), shards)
