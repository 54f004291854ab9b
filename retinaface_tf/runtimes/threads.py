"""Limits the threads of runtimes, so that several processes on one machine do not fight."""

import os


def thread_limit() -> int | None:
    """Returns how many threads this process may use by OMP_NUM_THREADS; None without it.

    Ray, Spark and Slurm set the variable in their workers. TensorFlow, ONNX Runtime and LiteRT do
    not read it.
    """
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # the others are of nested regions
    return int(value) if value.isdecimal() and int(value) else None
