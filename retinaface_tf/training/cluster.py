"""Finds the workers that train together: processes on one machine or several."""

import json
import os
from dataclasses import dataclass

import tensorflow as tf

from retinaface_tf.config import TrainConfig
from retinaface_tf.errors import InputError, one_line

_EXPECTED = (
    'expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """Names the workers of a run, as one of them sees it; only the first, the chief, writes."""

    jobs: dict[str, list[str]]  # the addresses of `worker`, and of `chief` if there is one
    job: str = "worker"  # this worker's
    task: int = 0  # its number in that job

    @property
    def addresses(self) -> list[str]:
        """Returns the addresses of all workers, by number."""
        return [*self.jobs.get("chief", []), *self.jobs.get("worker", [])]

    @property
    def size(self) -> int:
        return len(self.addresses)

    @property
    def index(self) -> int:
        """Returns this worker's number among all workers."""
        return self.task + (len(self.jobs.get("chief", [])) if self.job == "worker" else 0)

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    @property
    def is_alone(self) -> bool:
        return self.size == 1

    def resolver(self, gpus: int) -> tf.distribute.cluster_resolver.ClusterResolver:
        """Describes the cluster to TensorFlow, with the number of GPUs that this worker uses."""
        return tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(self.jobs),
            task_type=self.job,
            task_id=self.task,
            num_accelerators={"GPU": gpus},
            rpc_layer="grpc",
        )


ALONE = Cluster(jobs={"worker": ["localhost"]})


def find_cluster(config: TrainConfig) -> Cluster:
    """Finds the cluster in the environment, by the kind that `train.cluster` names.

    `auto` takes the cluster of TF_CONFIG, else that of a Slurm step with several tasks, else this
    worker alone.

    Raises:
        InputError: the environment describes no cluster that can train.
    """
    kind = config.cluster
    if kind == "auto":
        in_slurm = _slurm_number("SLURM_STEP_NUM_TASKS", 1) > 1
        kind = "tf_config" if "TF_CONFIG" in os.environ else "slurm" if in_slurm else "none"
    if kind == "tf_config":
        return _read_tf_config(os.environ.get("TF_CONFIG", ""))
    return _read_slurm() if kind == "slurm" else ALONE


def _read_tf_config(text: str) -> Cluster:
    def wrong(found: str) -> InputError:
        return InputError(f"TF_CONFIG: {_EXPECTED}, found {found}")

    try:
        content = json.loads(text)
        cluster = Cluster(
            content["cluster"], content["task"]["type"], int(content["task"]["index"])
        )
        tf.train.ClusterSpec(cluster.jobs)
    except (ValueError, KeyError, TypeError) as error:
        raise wrong(f"{text!r} ({type(error).__name__}: {error})") from None
    if cluster.job not in ("chief", "worker") or not set(cluster.jobs) <= {"chief", "worker"}:
        raise wrong(f"a task {cluster.job!r} among {', '.join(map(repr, cluster.jobs))}")
    if not 0 <= cluster.task < len(cluster.jobs.get(cluster.job, [])):
        raise wrong(f"no address of {cluster.job} {cluster.task}")
    return cluster


def _read_slurm() -> Cluster:
    # A port that another job on the same machines is unlikely to take.
    port = 20_000 + _slurm_number("SLURM_JOB_ID", 0) % 10_000
    tasks = _slurm_number("SLURM_STEP_NUM_TASKS", 1)
    try:
        # Slurm binds GPUs to tasks; the resolver only needs a count that is not 0.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        jobs = resolver.cluster_spec().as_dict()
        cluster = Cluster(jobs, *resolver.get_task_info())
    # TensorFlow raises many kinds of errors for Slurm's variables.
    except Exception as error:
        reason = one_line(error)
        raise InputError(f"train.cluster: expected a step started by srun: {reason}") from None
    host = jobs[cluster.job][cluster.task].rpartition(":")[0]
    here = os.environ.get("SLURMD_NODENAME", host)
    if host != here:
        # The resolver sorts hosts as text, where n10 comes before n2; Slurm sorts them by number.
        raise InputError(
            f"train.cluster: TensorFlow orders the hosts differently from Slurm, as task "
            f"{cluster.task} is on {here}, not on {host}; use TF_CONFIG instead"
        )
    return cluster


def _slurm_number(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{variable}: expected a number, found {text!r:.80}") from None
