import platform
import re
from importlib.metadata import version

import pytest

from retinaface_tf.config import Config, DataConfig
from retinaface_tf.doctor.machine import advice, bottleneck, examine_machine


@pytest.mark.slow
def test_env_tells_versions_devices_and_speeds_and_keeps_nothing(command, drawn, tmp_path):
    workdir = tmp_path / "run"
    done = command(
        *("-m", "retinaface_tf.doctor", "env", "--cfg", "configs/quickstart.yaml"),
        *("--set", f"data.root={drawn}", "--set", "data.image_size=64"),
        *("--set", "train.batch_per_device=4", "--seconds", "0.1", "--workdir", workdir),
    )
    assert done.returncode == 0, done.stderr
    versions, devices, *rest, bound = done.stdout.splitlines()
    speeds = [line for line in rest if "images/s" in line]
    assert re.match(r"Python 3\.\d+\.\d+, retinaface-tf \S+, tensorflow 2\.", versions)
    assert re.match(r"\d+ CPUs, ", devices)
    figures = [float(re.search(r"([\d.]+) images/s", line)[1]) for line in speeds]
    assert len(figures) == 3
    assert min(figures) > 0
    assert re.match(r"limited by the (input|step)|input and step compete", bound)
    assert not workdir.exists()


def test_env_without_seconds_needs_no_data_and_says_what_a_bug_report_asks_for():
    config = Config(data=DataConfig(root="nowhere"))
    versions, devices, system, *_ = examine_machine(config, seconds=0)
    assert f"retinaface-tf {version('retinaface-tf')}, tensorflow 2." in versions
    assert re.match(r"\d+ CPUs, ", devices)
    assert system.startswith(f"{platform.platform()}, commit ")


def test_a_gpu_that_is_not_seen_and_extras_that_are_missing_get_their_command():
    assert list(advice(has_gpu=True, has_driver=True, missing={})) == []
    assert list(advice(has_gpu=False, has_driver=False, missing={})) == []
    [line] = advice(has_gpu=False, has_driver=True, missing={})
    assert "pip install 'tensorflow[and-cuda]'" in line
    [line] = advice(has_gpu=False, has_driver=False, missing={"hub": ["huggingface_hub"]})
    assert line == "extra `hub` is not installed: python -m pip install huggingface_hub"


def test_what_it_cannot_examine_is_refused(command):
    done = command("-m", "retinaface_tf.doctor", "everything")
    assert done.returncode == 1
    assert done.stderr.startswith("error: expected `data ROOT`, `env` or `replay FILE` after")


@pytest.mark.parametrize(
    ("ratio", "input_wait", "said"),
    [
        (0.7, 0.3, "limited by the input, which could feed 0.7"),
        (1.3, 0.2, "input and step compete for the CPU: alone, the input could feed 1.3 steps"),
        (1.3, 0.01, "limited by the step; the input could feed 1.3"),
    ],
)
def test_a_run_is_bound_by_what_it_waits_for(ratio, input_wait, said):
    assert bottleneck(ratio, input_wait).startswith(said)
