"""The launcher's workers, for which `python -c` stands in."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LAUNCH = "import sys; from retinaface_tf.training.launch.workers import launch; launch({0}, 2, 0)"
WORKER = (
    "import os, pathlib, time;"
    "pathlib.Path('{0}', str(os.getpid())).touch(); time.sleep(60)"
)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="workers die with their launcher on Linux")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGABRT])
def test_a_killed_launcher_takes_its_workers_with_it(tmp_path, by):
    command = ["-c", WORKER.format(tmp_path)]
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCH.format(command)],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(workers := [int(file.name) for file in tmp_path.iterdir()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(launcher.pid, by)
    _, log = launcher.communicate()
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "without authentication" in log.splitlines()[0]
