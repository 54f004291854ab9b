"""Starts workers as processes on this machine, and restarts all when one dies."""

import ctypes
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from retinaface_tf.errors import STOPPED, LostWorkerError
from retinaface_tf.training.stopping import SIGNALS

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h: the signal that a process gets when its parent dies
GRACE = 10  # seconds in which the other workers may end by themselves

log = logging.getLogger(__name__)


class SignalRelay:
    """Passes SIGTERM, Ctrl-C and SIGHUP on to the workers, which save and exit.

    A second Ctrl-C kills the workers. A signal that is ignored stays ignored.
    """

    def __init__(self) -> None:
        self.asked = False
        self.workers: Sequence[subprocess.Popen[bytes]] = ()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, number: int, _: object) -> None:
        for worker in self.workers:
            if self.asked and number == signal.SIGINT:
                worker.kill()
            else:
                worker.terminate()  # not SIGINT, which a terminal sends to the workers anyway
        self.asked = True


def launch(command: Sequence[str], count: int, restarts: int) -> int:
    """Runs the workers of one run until it is done.

    Args:
        command: arguments of Python, such as `["train.py", "--cfg", "configs/quickstart.yaml"]`.
        count: number of workers.
        restarts: how often to restart all workers after one has died.

    Returns:
        The exit code of the run.

    Raises:
        LostWorkerError: workers died more often than `restarts` times.
    """
    log.warning(
        "workers listen on all addresses of this machine without authentication: whoever reaches "
        "their ports can read and write their files (docs/devices.md)"
    )
    relay = SignalRelay()
    for restart in range(restarts + 1):
        if restart:
            log.warning("restarting all workers, restart %d of %d", restart, restarts)
        codes = run_workers(command, count, relay)
        dead = {worker: code for worker, code in enumerate(codes, start=1) if code < 0}
        for worker, code in dead.items():
            log.warning("worker %d was killed by %s", worker, signal.Signals(-code).name)
        # An error takes precedence over the 75 of workers that lost another because of it.
        code = max(codes, key=lambda code: (code not in (0, STOPPED), code))
        if not dead and (code != STOPPED or relay.asked):
            return code
        if relay.asked:
            return STOPPED
    raise LostWorkerError(
        f"workers were lost {restarts + 1} times; the same command resumes from the last checkpoint"
    )


def run_workers(command: Sequence[str], count: int, relay: SignalRelay) -> list[int]:
    """Runs `count` workers until all have ended; the first to fail ends the others.

    Returns:
        The exit code of each worker: minus the signal's number if a signal killed it; 75 if it had
        to be killed because another worker failed.
    """
    with ExitStack() as stack:
        workers = [
            stack.enter_context(_start(command, environment))
            for environment in _environments(count)
        ]
        stack.callback(_kill, workers)
        relay.workers = workers
        while all(worker.poll() in (None, 0) for worker in workers):
            if all(worker.poll() == 0 for worker in workers):
                return [0] * count
            time.sleep(0.1)
        deadline = time.monotonic() + GRACE
        while any(worker.poll() is None for worker in workers):
            if time.monotonic() > deadline and not relay.asked:
                break
            time.sleep(0.1)
        return [STOPPED if (code := worker.poll()) is None else code for worker in workers]


def _start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Starts a worker that dies with this process, however the process ends."""
    arguments = [sys.executable, *command]
    if sys.platform != "linux":
        return subprocess.Popen(arguments, env=environment)
    launcher, library = os.getpid(), ctypes.CDLL(None)

    def die_with_launcher() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != launcher:  # it has died already
            os.kill(os.getpid(), signal.SIGKILL)

    return subprocess.Popen(arguments, env=environment, preexec_fn=die_with_launcher)


def _environments(count: int) -> list[dict[str, str]]:
    """Makes an environment for each worker, with a TF_CONFIG of local ports that are free."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    addresses = [f"localhost:{opened.getsockname()[1]}" for opened in sockets]
    for opened in sockets:
        opened.close()
    return [
        os.environ
        | {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(count)
    ]


def _kill(workers: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Kills workers, which cannot save, and later resume from their last checkpoint."""
    for worker in workers:
        worker.kill()
