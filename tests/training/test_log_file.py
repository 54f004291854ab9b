import logging

import pytest

from retinaface_tf.errors import InputError
from retinaface_tf.training.log_file import logged


def test_the_log_holds_what_was_said_and_what_ended_the_run(tmp_path):
    log = logging.getLogger("retinaface_tf.anywhere")

    def run(message: str) -> None:
        with logged(tmp_path):
            log.info("%s run", message)
            log.debug("what a terminal has a bar for")
            raise InputError("no more steps")

    for message in ("first", "second"):
        with pytest.raises(InputError):
            run(message)
    log.info("not in a run")
    lines = (tmp_path / "train.log").read_text().splitlines()
    said = [line.split(" ", 2)[2] for line in lines]
    bar, error = "what a terminal has a bar for", "error: no more steps"
    assert said == ["first run", bar, error, "second run", bar, error]
