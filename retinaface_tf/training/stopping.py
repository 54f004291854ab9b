"""When a run ends: complete, or stopped by SIGTERM, and alike on all of its workers."""

import signal
from enum import Enum

import numpy as np
from numpy.typing import NDArray


class Decision(Enum):
    GO_ON = "go on"
    STOP = "stop"  # before the run is complete; the same command resumes it
    DONE = "done"


def decide(complete: NDArray[np.bool_], stop_asked: NDArray[np.bool_]) -> Decision:
    """Decides what is next from what each replica's worker knows: arrays [R], the chief's first.

    The run is done if the chief says so, since the chief alone measures AP. Else it stops if any
    worker was asked to.
    """
    if complete[0]:
        return Decision.DONE
    return Decision.STOP if stop_asked.any() else Decision.GO_ON


class StopSignal:
    """Remembers a SIGTERM until the step at hand is done."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True
