"""What a run is, as JSON, and what it said, as text: `run.json` and `train.log` in its workdir."""

import hashlib
import json
import logging
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.records import Records
from retinaface_tf.files import write_whole

RUN_FILE, LOG_FILE = "run.json", "train.log"
PACKAGES = ("retinaface-tf", "tensorflow", "keras", "numpy")


class _LogFile(logging.FileHandler):
    """Where a line cannot be written, as on a full disk, the run's own error tells of it."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextmanager
def logged(workdir: Path) -> Iterator[None]:
    """Appends to `train.log`, with the time, what is logged inside and what ends it in error."""
    handler = _LogFile(workdir / LOG_FILE, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    package = logging.getLogger("retinaface_tf")
    package.addHandler(handler)
    level = package.level
    package.setLevel(logging.DEBUG)  # lines for which a terminal has its bar
    try:
        yield
    except Exception as error:
        handler.handle(logging.makeLogRecord({"msg": f"error: {error}"}))
        raise
    finally:
        package.setLevel(level)
        package.removeHandler(handler)
        handler.close()


def write_summary(
    config: Config, records: Records, strategy: tf.distribute.Strategy, start: int
) -> None:
    """Writes `run.json`: config, versions, devices, data and code of a run from step `start`."""
    summary = {
        "start": start,
        "config": config.as_dict(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        "devices": list(strategy.extended.worker_devices),  # of the chief
        "replicas": strategy.num_replicas_in_sync,
        "images": len(records),
        "faces": len(records.boxes),
        "data_sha256": data_hash(records),
        "git_commit": git_commit(),
    }
    write_whole(Path(config.train.workdir) / RUN_FILE, json.dumps(summary, indent=1) + "\n")


def data_hash(records: Records) -> str:
    """SHA-256 of the names of images and of their faces, in their order; not of the pixels."""
    content = hashlib.sha256("\n".join(records.images).encode())
    for part in (records.splits, records.boxes, records.landmarks, records.has_landmarks):
        content.update(part.tobytes())
    return content.hexdigest()


def git_commit() -> str | None:
    """The commit of this code, with `+` where files differ from it; None outside of a checkout."""
    here = Path(__file__)
    git = ("git", "-C", str(here.parent))
    # The first fails where this file lies in a repository that does not know it.
    commands = (("ls-files", "--error-unmatch", here.name), ("rev-parse", "HEAD"))
    try:
        _, commit, changes = (
            subprocess.run([*git, *command], capture_output=True, text=True, check=True).stdout
            for command in (*commands, ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changes else "")
