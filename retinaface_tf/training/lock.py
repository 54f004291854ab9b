"""Keeps a second run out of a run's folder."""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retinaface_tf.errors import InputError

LOCK_FILE = "run.lock"  # stays in the folder and says who last locked it

log = logging.getLogger(__name__)


@contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Locks a run's folder while the block runs; creates the folder if absent.

    The kernel holds the lock for the process and drops it when the process ends, however it ends.
    If the file system has no locks, a warning says so, and the block runs unlocked.

    Raises:
        InputError: another run has locked the folder.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    file = workdir / LOCK_FILE
    with file.open("a+", encoding="utf-8", errors="replace") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            opened.seek(0)
            raise InputError(
                f"{workdir}: another run trains in this folder ({opened.readline(200).strip()}); "
                f"wait until it ends, or name another folder with --workdir"
            ) from None
        except OSError as error:
            log.warning(
                "%s: cannot be locked (%s); make sure that no second run trains in this folder",
                *(file, error.strerror),
            )
        else:
            opened.truncate(0)
            opened.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            opened.flush()
        yield
