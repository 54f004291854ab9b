"""The launcher over workers of a line of Python, which start no TensorFlow."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retinaface_tf.errors import BAD_INPUT, STOPPED, LostWorkerError
from retinaface_tf.training.launch.workers import launch
from retinaface_tf.training.stopping import SIGNALS

# What each worker starts with: its number, from 0.
WHO = "import json, os, sys, time; who = json.loads(os.environ['TF_CONFIG'])['task']['index']; "
DIES = "os.kill(os.getpid(), 9)"


@pytest.fixture(autouse=True)
def _same_signals():
    """Restores the handlers of signals, of which the launcher takes some for itself."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(code: str, *, count: int = 2, restarts: int = 0) -> int:
    return launch(["-c", WHO + code], count, restarts)


def test_each_worker_is_told_of_all_and_of_itself(tmp_path):
    write = f"open({str(tmp_path)!r} + f'/{{who}}', 'w').write(os.environ['TF_CONFIG'])"
    assert run(write, count=3) == 0
    told = [json.loads((tmp_path / str(index)).read_text()) for index in range(3)]
    assert [each["task"] for each in told] == [{"type": "worker", "index": i} for i in range(3)]
    assert len(set(told[0]["cluster"]["worker"])) == 3
    assert told[0]["cluster"] == told[1]["cluster"] == told[2]["cluster"]


def test_a_worker_that_is_killed_has_all_started_again(tmp_path, caplog):
    file = str(tmp_path / "was_here")
    dies_once = f"(not os.path.exists({file!r}) and (open({file!r}, 'w'), {DIES}))"
    assert run(f"who == 1 and {dies_once}", restarts=1) == 0
    assert [record.args for record in caplog.records[1:]] == [(2, "SIGKILL"), (1, 1)]


def test_workers_that_are_lost_too_often_end_the_run():
    with pytest.raises(LostWorkerError, match="2 times"):
        run(f"who == 0 and {DIES}", restarts=1)


@pytest.mark.parametrize("code", [BAD_INPUT, 2])
def test_the_code_of_a_worker_that_fails_is_that_of_the_run(code):
    assert run(f"sys.exit({code} if who == 1 else {STOPPED})", restarts=1) == code


def test_a_worker_that_waits_for_a_lost_one_is_ended(monkeypatch):
    monkeypatch.setattr("retinaface_tf.training.launch.workers.GRACE", 0.2)
    start = time.monotonic()
    with pytest.raises(LostWorkerError):
        run(f"{DIES} if who == 0 else time.sleep(60)")
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("sent", SIGNALS)
def test_a_signal_to_stop_goes_on_to_all_workers_and_starts_none_again(tmp_path, sent):
    waits = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); "
    ready = f"open({str(tmp_path)!r} + f'/{{who}}', 'w'); "
    # Both wait by now: the second has the launcher told to stop.
    tell = f"\nwhile len(os.listdir({str(tmp_path)!r})) < 2: time.sleep(0.01)\n"
    tell += f"if who: os.kill(os.getppid(), {sent})\ntime.sleep(60)"
    assert run(waits + ready + tell, restarts=1) == STOPPED


def test_a_second_interrupt_kills_workers_that_go_on(tmp_path):
    goes_on = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    ready = f"open({str(tmp_path)!r} + f'/{{who}}', 'w'); "
    tell = f"\nwhile len(os.listdir({str(tmp_path)!r})) < 2: time.sleep(0.01)\n"
    tell += "if who: os.kill(os.getppid(), 2); time.sleep(0.5); os.kill(os.getppid(), 2)\n"
    start = time.monotonic()
    assert run(goes_on + ready + tell + "time.sleep(60)", restarts=1) == STOPPED
    assert time.monotonic() - start < 30


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="workers die with their launcher on Linux")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGABRT])
def test_a_killed_launcher_takes_its_workers_with_it(tmp_path, by):
    waits = f"open({str(tmp_path)!r} + '/' + str(os.getpid()), 'w'); time.sleep(60)"
    code = f"from {launch.__module__} import launch; launch({['-c', WHO + waits]}, 2, 0)"
    launcher = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
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
