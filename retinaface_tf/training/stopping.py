"""Decides when a run ends, complete or stopped by a signal, on all its workers alike."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from types import FrameType, TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import INTERRUPTED, StoppedError

# Sent by schedulers, by Ctrl-C, and by a closing terminal.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger(__name__)


class Decision(Enum):
    GO_ON = "go on"
    STOP = "stop"  # before the run is complete; the same command resumes it
    DONE = "done"


def decide(complete: NDArray[np.bool_], stop_asked: NDArray[np.bool_]) -> Decision:
    """Decides what to do from what each replica's worker knows: arrays [R], the chief's first.

    The run is done if the chief says so, since only the chief measures AP. Otherwise it stops if
    any worker was asked to.
    """
    if complete[0]:
        return Decision.DONE
    return Decision.STOP if stop_asked.any() else Decision.GO_ON


class StopSignal:
    """Catches SIGTERM, Ctrl-C and SIGHUP inside its block.

    Before the first step, such a signal ends the block with a StoppedError. After `defer`, the
    signal waits until the current step is done, but a second Ctrl-C ends the process at once.

    A signal that is ignored stays ignored, such as SIGHUP under nohup. Outside the main thread,
    where Python handles no signals, the block catches none.
    """

    def __init__(self) -> None:
        self.asked = False
        self._is_deferred = False
        self._before = ExitStack()  # restores what handled the signals before the block

    def defer(self) -> None:
        """Makes signals wait, from now on, for the end of the current step."""
        self._is_deferred = True
        # With several workers, TensorFlow has replaced Python's handler of SIGTERM with its own.
        for number in SIGNALS:
            if signal.getsignal(number) == self._ask:
                signal.signal(number, self._ask)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if handler is not signal.SIG_IGN:
                    signal.signal(number, self._ask)
                    self._before.callback(signal.signal, number, handler)
            self._before.enter_context(self._watched())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._before.close()
        if kind is KeyboardInterrupt and self.asked:
            raise StoppedError("stopped before the first step; run the command again") from None

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if not self._is_deferred:
            raise KeyboardInterrupt  # the one exception that no library takes for an error

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Watches for signals in a thread, as handlers wait while TensorFlow runs."""
        received, sent = os.pipe()
        os.set_blocking(sent, False)
        before = signal.set_wakeup_fd(sent, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=[received], daemon=True).start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.close(sent)

    def _watch(self, received: int) -> None:
        """Ends the process at the second Ctrl-C.

        Args:
            received: file descriptor that delivers signal numbers, a byte each, until it is closed.
        """
        interrupts = 0
        while number := os.read(received, 1):
            interrupts += number[0] == signal.SIGINT
            if interrupts == 2:
                os.write(2, b"ended at once; the last checkpoint is kept\n")
                os._exit(INTERRUPTED)
            if number[0] == signal.SIGINT and self._is_deferred:
                log.info("finishing this step; Ctrl-C again ends at once")
        os.close(received)
