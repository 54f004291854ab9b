"""Limits the threads of runtimes, so that processes on one machine do not compete for cores."""

import os


def thread_limit() -> int | None:
    """Returns how many threads this process may use by OMP_NUM_THREADS; None if it is not set.

    Ray, Spark and Slurm set the variable in their workers. TensorFlow, ONNX Runtime and LiteRT do
    not read the variable.
    """
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # the rest is for nested regions
    return int(value) if value.isdecimal() and int(value) else None
