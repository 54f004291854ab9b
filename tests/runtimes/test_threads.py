"""OMP_NUM_THREADS limits the threads of every runtime."""

import pytest

from retinaface_tf.runtimes.threads import thread_limit


@pytest.mark.parametrize(
    ("value", "limit"), [("3", 3), ("2,4", 2), ("", None), ("0", None), ("many", None)]
)
def test_the_first_number_is_the_limit(monkeypatch, value, limit):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert thread_limit() == limit
