"""Starts the workers of one run on this machine, and starts them again when one dies.

    python -m retinaface_tf.training.launch --workers 2 -- train.py --cfg configs/quickstart.yaml

This is to try a set-up: several machines each start `train.py` by themselves, with TF_CONFIG or
under Slurm. What follows `--` goes to Python, in each worker with its TF_CONFIG. Exit codes are
those of train.py.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from absl import flags

from retinaface_tf import cli
from retinaface_tf.errors import InputError, LostWorkerError

GRACE = 10  # seconds in which the others may end by themselves

_WORKERS = flags.DEFINE_integer("workers", 2, "How many workers to start.", lower_bound=1)
_RESTARTS = flags.DEFINE_integer(
    "restarts", 3, "How often to start all again after one has died.", lower_bound=0
)

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    if not arguments:
        raise InputError("expected `-- train.py` and its flags, found no command to start")
    stop = _Stop()
    for restart in range(_RESTARTS.value + 1):
        if restart:
            log.warning("starting all again, %d of %d times", restart, _RESTARTS.value)
        codes = run_workers(arguments, _WORKERS.value, stop)
        dead = {worker: code for worker, code in enumerate(codes, start=1) if code < 0}
        for worker, code in dead.items():
            log.warning("worker %d was killed by %s", worker, signal.Signals(-code).name)
        # Errors go before the 75 of those that lost a worker by them.
        code = max(codes, key=lambda code: (code not in (0, cli.STOPPED), code))
        if not dead and (code != cli.STOPPED or stop.asked):
            return code
        if stop.asked:
            return cli.STOPPED
    raise LostWorkerError(
        f"workers were lost {_RESTARTS.value + 1} times; the same command goes on from the last "
        f"checkpoint"
    )


def run_workers(command: Sequence[str], count: int, stop: "_Stop") -> list[int]:
    """Runs so many workers until all have ended; the first to fail ends the others.

    Returns:
        The exit code of each; of one that a signal killed the signal's number, negative. Those
        that had to be ended for another's sake count as those that lost it, with code 75.
    """
    with ExitStack() as stack:
        workers = [
            stack.enter_context(subprocess.Popen([sys.executable, *command], env=environment))
            for environment in _environments(count)
        ]
        stack.callback(_kill, workers)
        stop.workers = workers
        while all(worker.poll() in (None, 0) for worker in workers):
            if all(worker.poll() == 0 for worker in workers):
                return [0] * count
            time.sleep(0.1)
        deadline = time.monotonic() + GRACE
        while any(worker.poll() is None for worker in workers):
            if time.monotonic() > deadline and not stop.asked:
                break
            time.sleep(0.1)
        return [cli.STOPPED if (code := worker.poll()) is None else code for worker in workers]


def _environments(count: int) -> list[dict[str, str]]:
    """One for each worker, with its TF_CONFIG: addresses here, on ports that are free now."""
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
    """They have no time to save; what counts is in their checkpoints."""
    for worker in workers:
        worker.kill()


class _Stop:
    """Hands a SIGTERM on to the workers, which save and end."""

    def __init__(self) -> None:
        self.asked = False
        self.workers: Sequence[subprocess.Popen[bytes]] = ()
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True
        for worker in self.workers:
            worker.terminate()


if __name__ == "__main__":
    cli.run(main)
