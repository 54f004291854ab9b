import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from retinaface_tf.errors import StoppedError
from retinaface_tf.training.stopping import SIGNALS, Decision, StopSignal, decide


@pytest.mark.parametrize(
    ("complete", "stop_asked", "decision"),
    [
        ([False, False], [False, False], Decision.GO_ON),
        ([False, False], [False, True], Decision.STOP),  # any worker may ask
        ([True, False], [False, False], Decision.DONE),  # the chief alone knows AP
        ([False, True], [False, False], Decision.GO_ON),
        ([True, True], [True, True], Decision.DONE),  # at the last step there is nothing to stop
    ],
)
def test_workers_decide_together(complete, stop_asked, decision):
    assert decide(np.array(complete), np.array(stop_asked)) is decision


@pytest.fixture(params=SIGNALS)
def stop_signal(request) -> signal.Signals:
    """Returns a stop signal that this process minds, whatever started it."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_is_remembered_from_the_first_step_on(stop_signal):
    with StopSignal() as stop:
        stop.defer()
        assert not stop.asked
        signal.raise_signal(stop_signal)
        assert stop.asked


def test_a_signal_before_the_first_step_ends_the_run_with_code_75(stop_signal):
    with pytest.raises(StoppedError) as error, StopSignal():
        signal.raise_signal(stop_signal)
    assert error.value.exit_code == 75


def test_a_signal_has_its_former_effect_after_the_run(stop_signal):
    def former(*_: object) -> None: ...

    signal.signal(stop_signal, former)
    with StopSignal():
        assert signal.getsignal(stop_signal) is not former
    assert signal.getsignal(stop_signal) is former


def test_a_signal_that_is_ignored_stays_ignored(stop_signal):
    signal.signal(stop_signal, signal.SIG_IGN)  # as nohup does with SIGHUP
    with StopSignal() as stop:
        signal.raise_signal(stop_signal)
        assert not stop.asked


def test_a_run_outside_of_the_main_thread_leaves_signals_alone(stop_signal):
    def run() -> None:
        with StopSignal() as stop:
            seen.append(stop.asked)

    seen: list[bool] = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(stop_signal) is signal.SIG_DFL


LONG_STEP = """
import hashlib, signal
from retinaface_tf.training.stopping import StopSignal
signal.signal(signal.SIGINT, signal.default_int_handler)
with StopSignal() as stop:
    stop.defer()
    print("at it", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # as TensorFlow: long, and not in Python
"""


def test_a_second_interrupt_ends_a_run_at_once_in_the_middle_of_a_step():
    command = [sys.executable, "-c", LONG_STEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in said
