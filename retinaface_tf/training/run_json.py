"""Writes `run.json`, which records what is needed to reproduce a run."""

import hashlib
import json
import logging
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.records import Records
from retinaface_tf.files import write_text

RUN_FILE = "run.json"
PACKAGES = ("retinaface-tf", "tensorflow", "keras", "numpy")

log = logging.getLogger(__name__)


def write_run_json(
    config: Config, records: Records, strategy: tf.distribute.Strategy, start: int
) -> None:
    """Writes the config, versions, devices, data and code of a run that begins at step `start`."""
    content = {
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
    write_text(Path(config.train.workdir) / RUN_FILE, json.dumps(content, indent=1) + "\n")


def warn_of_other_data(config: Config, records: Records) -> None:
    """Warns if the labels differ from those that the run had when it last began."""
    file = Path(config.train.workdir) / RUN_FILE
    if not file.exists():
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        labels = Path(before["config"]["data"]["root"], before["config"]["data"]["train_labels"])
        images, digest = before["images"], before["data_sha256"]
    except (ValueError, LookupError, TypeError):
        log.warning("%s: cannot be read, so that the data cannot be compared", file)
        return
    if digest != (now := data_hash(records)):
        log.warning(
            "%s: continuing with changed labels: %s images of %s (SHA-256 %.12s) before, %d of %s "
            "(%.12s) now",
            *(file, images, labels, digest, len(records), records.label_file, now),
        )


def data_hash(records: Records) -> str:
    """Returns the SHA-256 of image names and faces, in order; pixels are not included."""
    content = hashlib.sha256("\n".join(records.images).encode())
    for part in (records.splits, records.boxes, records.landmarks, records.has_landmarks):
        content.update(part.tobytes())
    return content.hexdigest()


def git_commit() -> str | None:
    """Returns this code's commit, with `+` if files differ from it; None outside a checkout."""
    here = Path(__file__)
    git = ("git", "-C", str(here.parent))
    # The first command fails if this file is in a repository that does not track it.
    commands = (("ls-files", "--error-unmatch", here.name), ("rev-parse", "HEAD"))
    try:
        _, commit, changes = (
            subprocess.run([*git, *command], capture_output=True, text=True, check=True).stdout
            for command in (*commands, ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changes else "")
