"""The command, as a user starts and ends it."""

import json
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from retinaface_tf.samples import GRACE_HOPPER


@pytest.mark.slow
def test_the_command_says_where_the_page_is_and_ctrl_c_ends_it(onnx_file):
    command = [sys.executable, "-m", "retinaface_tf.demo", "--weights", onnx_file, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            _, url, *_ = demo.stdout.readline().split()
            assert url.startswith("http://127.0.0.1:")
            page = urlopen(url, timeout=20).read().decode()
            assert str(onnx_file) in page
            assert 'id="nms"' not in page, "the command could not set the NMS of an export"
            demo.send_signal(signal.SIGINT)
            assert demo.wait(20) == 0
        finally:
            demo.kill()


@pytest.mark.slow
def test_without_weights_those_of_the_package_find_the_faces():
    command = [sys.executable, "-m", "retinaface_tf.demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            _, url, *_ = demo.stdout.readline().split()
            answer = urlopen(f"{url}detect", GRACE_HOPPER.read_bytes(), timeout=60).read()
            best, *others = json.loads(answer)["line"]["faces"]
            assert best["score"] > 0.9
            assert all(face["score"] < 0.5 for face in others)
        finally:
            demo.kill()
