"""Times a device that works asynchronously, and reads its memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ROUNDS, WARM_UP = 5, 3
_MIB = 2**20


@dataclass(frozen=True)
class Memory:
    """Reads the memory of a device.

    Attributes:
        reset: resets the peak.
        peak: returns the most bytes in use since the reset.
    """

    reset: Callable[[], object]
    peak: Callable[[], int]


@dataclass(frozen=True)
class Timing:
    ms: tuple[float, ...]  # per call, by round
    peak_mib: float | None  # None if the device does not tell


def measure(work: Callable[[], Any], seconds: float, memory: Memory | None) -> Timing:
    """Measures `work` in rounds, for about `seconds`.

    Args:
        work: returns a scalar, which is read once per round to wait for the device, as a training
            loop reads its metrics once in many steps.
        seconds: for all rounds, each of which makes at least one call; 0 makes one call to warm up
            and one to measure, to see that it works.
        memory: of the device; None if it does not tell.
    """
    warm_up, rounds = (WARM_UP, ROUNDS) if seconds else (1, 1)
    for _ in range(warm_up):  # traces, compiles, chooses algorithms, fills buffers
        one_call = _time_calls(work, 1)
    calls = max(1, round(seconds / rounds / one_call))
    if memory is not None:
        memory.reset()
    ms = tuple(_time_calls(work, calls) * 1e3 for _ in range(rounds))
    return Timing(ms, None if memory is None else memory.peak() / _MIB)


def _time_calls(work: Callable[[], Any], calls: int) -> float:
    """Returns the seconds per call."""
    start = time.perf_counter()
    for _ in range(calls):
        last = work()
    float(last)
    return (time.perf_counter() - start) / calls


def tensorflow_memory() -> Memory | None:
    """Returns the memory of TensorFlow's first GPU; None without a GPU."""
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return Memory(
        reset=lambda: tf.config.experimental.reset_memory_stats("GPU:0"),
        peak=lambda: tf.config.experimental.get_memory_info("GPU:0")["peak"],
    )


def torch_memory() -> Memory | None:
    """Returns the memory of PyTorch's first GPU; None without a GPU."""
    import torch

    if not torch.cuda.is_available():
        return None
    return Memory(
        reset=lambda: torch.cuda.reset_peak_memory_stats(0),
        peak=lambda: torch.cuda.max_memory_allocated(0),
    )
