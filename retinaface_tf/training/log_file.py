"""Writes what a run logs to `train.log` in its workdir."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retinaface_tf.printing import PrintableFormatter

LOG_FILE = "train.log"


class _LogFile(logging.FileHandler):
    """Skips a line that cannot be written: if the disk is full, the run's own error says so."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextmanager
def logged(workdir: Path) -> Iterator[None]:
    """Appends what the block logs, and the error that ends it, to `train.log` with the time."""
    handler = _LogFile(workdir / LOG_FILE, encoding="utf-8")
    handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    package = logging.getLogger("retinaface_tf")
    package.addHandler(handler)
    level = package.level
    package.setLevel(logging.DEBUG)  # includes lines that a terminal shows as a bar
    try:
        yield
    except Exception as error:
        handler.handle(logging.makeLogRecord({"msg": f"error: {error}"}))
        raise
    finally:
        package.setLevel(level)
        package.removeHandler(handler)
        handler.close()
