"""Runs a batch on Ray Data, which spreads shards over actors and retries lost ones."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from types import ModuleType
from typing import Any, NamedTuple

from retinaface_tf.batch.shards import Shard
from retinaface_tf.batch.worker import Job, ShardResult, Worker
from retinaface_tf.cli import silent_stderr
from retinaface_tf.extras import import_extra

OBJECT_BYTES = 128 << 20  # that Ray shares between processes
BLOCKS_PER_WORKER = 64  # the units that Ray schedules, if there are as many shards


class Share(NamedTuple):
    """Holds the number of workers and what each of them gets."""

    workers: int
    cpus: float  # whole CPUs give as many threads
    gpus: float


class ShardActor:
    """Wraps a worker for Ray Data, from a row that names a shard to a row with its result."""

    def __init__(self, job: Job):
        """Takes the job of the worker."""
        self.worker = Worker(job)

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        """Processes a shard."""
        return self.worker(Shard(**shard))._asdict()


def run_on_ray(job: Job, shards: Sequence[Shard], workers: int | None) -> Iterator[ShardResult]:
    """Detects faces on the cluster that RAY_ADDRESS names, or else on a temporary local one.

    Args:
        job: of the batch.
        shards: to process.
        workers: how many processes; None means one for each GPU of the cluster, or else each core.

    Raises:
        InputError: Ray is not installed.
    """
    ray = import_extra("ray", "ray")
    import_extra("ray.data", "ray")
    _connect(ray)
    try:
        share = _share_cluster(ray, workers)
        blocks = min(len(shards), BLOCKS_PER_WORKER * share.workers)
        rows = ray.data.from_items([asdict(shard) for shard in shards], override_num_blocks=blocks)
        results = rows.map(
            ShardActor,
            fn_constructor_args=(job,),
            # The next shard waits at the worker, which would idle until Ray sends it. With more of
            # them, some would wait for a busy worker while another is idle.
            compute=ray.data.ActorPoolStrategy(size=share.workers, max_tasks_in_flight_per_actor=2),
            num_cpus=share.cpus,
            num_gpus=share.gpus,
        )
        for result in results.iter_rows():
            yield ShardResult(**result)
    finally:
        ray.shutdown()


def _connect(ray: ModuleType) -> None:
    """Connects to a cluster, quietly; a cluster started here sends no usage reports."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Otherwise Ray calls arguments of Ray Data's own actors an error.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    address = os.environ.get("RAY_ADDRESS", "local")
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        # Shards are named, not sent, so that little memory is needed.
        settings |= {"include_dashboard": False, "object_store_memory": OBJECT_BYTES}
    with silent_stderr():  # failures raise
        ray.init(address, **settings)
    ray.data.DataContext.get_current().enable_progress_bars = False


def _share_cluster(ray: ModuleType, workers: int | None) -> Share:
    """Divides the cluster among `workers` workers, each of which fits on every machine."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = [int(node["CPU"]) for node in nodes if node.get("CPU")] or [1]
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    workers = workers or gpus or sum(cores)
    cpus = sum(cores) // workers or sum(cores) / workers
    return Share(workers, min(cpus, *cores), min(1, gpus / workers))
