"""The command, as a user starts and ends it."""

import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest


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


def test_weights_have_to_be_named(command):
    done = command("-m", "retinaface_tf.demo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: --weights: ")
    assert done.stderr.count("\n") == 1
