import errno
import fcntl
import os
import subprocess
import sys

import pytest

from retinaface_tf.errors import InputError
from retinaface_tf.training.lock import locked

LOCK_AND_WAIT = """
import pathlib, sys
from retinaface_tf.training.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_in_a_folder_is_refused_and_told_of_the_first(tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(InputError, match=rf"run: .*process {os.getpid()} on "),
        locked(tmp_path / "run"),
    ):
        pass
    with locked(tmp_path / "run"):
        pass  # the first has ended


def test_the_lock_of_a_run_that_is_killed_dies_with_it(tmp_path):
    command = [sys.executable, "-c", LOCK_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(InputError, match=f"process {process.pid} on "), locked(tmp_path):
            pass
        process.kill()
    with locked(tmp_path):
        pass


def test_a_file_system_without_locks_gives_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path):
        pass
    assert [str(tmp_path) in message for message in caplog.messages] == [True]
