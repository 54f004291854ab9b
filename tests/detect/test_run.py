"""Paths in, results out: by a detector that finds a face wherever an image is bright."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from brightness import Brightness

from retinaface_tf.detect.output import OutputOptions
from retinaface_tf.detect.run import detect_paths
from retinaface_tf.errors import InputError
from retinaface_tf.samples import GRACE_HOPPER


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "detections.jsonl").read_text().splitlines()]


@pytest.fixture
def album(tmp_path, video) -> Path:
    """Returns a video that gets brighter, a white image, and a file that is neither."""
    folder = tmp_path / "album"
    folder.mkdir()
    video.rename(folder / "clip.avi")
    (folder / "broken.jpg").write_bytes(b"garbage")
    cv2.imwrite(str(folder / "white.png"), np.full((48, 64, 3), 255, np.uint8))
    return folder


def test_all_that_can_be_read_is_detected_in_order_before_what_cannot_is_named(album, tmp_path):
    with pytest.raises(InputError, match=r"^1 of 3 .*7 faces in 1 image and 12 frames") as error:
        detect_paths(
            Brightness(),
            [str(album)],
            tmp_path / "out",
            OutputOptions(),
            batch_size=5,
            score_threshold=0.3,
        )
    assert str(album / "broken.jpg") in str(error.value)
    found = lines(tmp_path / "out")
    assert [line["frame"] for line in found] == [*range(12), None]
    # Frames have the brightness 20, 30, ... 130, of 255.
    assert [len(line["faces"]) for line in found] == [0] * 6 + [1] * 7
    assert (tmp_path / "out" / "clip.avi.mp4").exists()
    assert (tmp_path / "out" / "white.png.jpg").exists()


def test_frames_of_a_video_may_be_few_and_pictures_none(album, tmp_path):
    options = OutputOptions(pictures=False)
    results = detect_paths(
        Brightness(), [str(album / "clip.avi")], tmp_path / "out", options, max_frames=3
    )
    assert (results.images, results.faces) == (3, 0)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "detections.csv",
        "detections.jsonl",
    ]


def test_the_command_detects_by_an_onnx_model_without_tensorflow(onnx_file, tmp_path):
    code = (
        "import sys; from retinaface_tf import cli\n"
        "try: cli.main()\n"
        "except SystemExit as done: assert not done.code\n"
        "assert 'onnxruntime' in sys.modules\n"
        "sys.exit(', '.join({'tensorflow', 'keras'} & sys.modules.keys()) or 0)"
    )
    command = ["detect", GRACE_HOPPER, f"--saved_model={onnx_file}", f"--out={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(lines(tmp_path)) == 1


def test_the_passes_over_each_image_are_told_to_who_asks(tmp_path, caplog):
    for name, size in {"small.png": (480, 640), "large.png": (1200, 1600)}.items():
        cv2.imwrite(str(tmp_path / name), np.zeros((*size, 3), np.uint8))
    with caplog.at_level("DEBUG", "retinaface_tf.detect.run"):
        detect_paths(Brightness(), [str(tmp_path)], tmp_path / "out", OutputOptions(pictures=False))
    large, small = (message.split(", passes ") for message in caplog.messages)
    assert (Path(large[0].split(":")[0]).name, large[1]) == ("large.png", "1, 1/2, 1/4")
    assert small[1] == "1"
