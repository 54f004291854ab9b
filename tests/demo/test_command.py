"""The command, as a user starts and ends it."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.request import urlopen

import pytest

from retinaface_tf.detections import DEFAULT_SCORE
from retinaface_tf.samples import GRACE_HOPPER


@contextmanager
def started(*arguments):
    """Starts the command on a free port; yields its process and the address that it says."""
    command = [sys.executable, "-m", "retinaface_tf.demo", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            _, url, *_ = demo.stdout.readline().split()
            yield demo, url
        finally:
            demo.kill()


@pytest.mark.slow
def test_the_command_says_where_the_page_is_and_ctrl_c_ends_it(onnx_file):
    with started("--weights", onnx_file) as (demo, url):
        assert url.startswith("http://127.0.0.1:")
        page = urlopen(url, timeout=20).read().decode()
        assert str(onnx_file) in page
        assert 'id="nms"' not in page, "the command could not set the NMS of an export"
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 0


@pytest.mark.slow
def test_without_weights_those_of_the_package_find_the_faces():
    with started() as (_, url):
        answer = urlopen(f"{url}detect", GRACE_HOPPER.read_bytes(), timeout=60).read()
        scores = [face["score"] for face in json.loads(answer)["line"]["faces"]]
        assert sum(score >= DEFAULT_SCORE for score in scores) == 1
