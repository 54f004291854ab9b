import os
import signal

import numpy as np
import pytest

from retinaface_tf.training.stopping import Decision, StopSignal, decide


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


def test_a_sigterm_is_remembered_and_ends_nothing_by_itself():
    before = signal.getsignal(signal.SIGTERM)
    try:
        stop = StopSignal()
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked
    finally:
        signal.signal(signal.SIGTERM, before)
