import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.detect.frames import read_frames
from retinaface_tf.detect.sources import Source, find_sources
from retinaface_tf.errors import InputError


def source_of(file: Path) -> Source:
    return find_sources([str(file)], Path("nowhere"))[0]


def test_a_videos_frames_have_number_time_and_pixels(video):
    frames = list(read_frames(source_of(video)))
    assert [frame.number for frame in frames] == list(range(12))
    assert [frame.seconds for frame in frames[:3]] == [0, 0.1, 0.2]
    for frame in frames:
        assert frame.pixels.shape == (48, 64, 3)
        assert abs(frame.pixels.mean() - (20 + 10 * frame.number)) < 3


def test_a_limit_ends_a_video_early(video):
    assert len(list(read_frames(source_of(video), 5))) == 5


def test_images_and_frames_are_rgb(tmp_path):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 2] = 255  # OpenCV's order
    cv2.imwrite(str(tmp_path / "a.png"), red)
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (16, 16))
    writer.write(red)
    writer.release()
    for name in ("a.png", "a.avi"):
        [frame] = read_frames(source_of(tmp_path / name))
        assert frame.pixels[8, 8, 0] > 240, name
        assert frame.pixels[8, 8, 2] < 20, name


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4"])
def test_garbage_is_told_by_name(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"garbage")
    with pytest.raises(InputError, match=f"{name}: "):
        list(read_frames(source_of(file)))


def test_a_video_that_ends_before_its_time_is_read_as_far_as_it_goes(tmp_path, caplog):
    file = tmp_path / "cut.mkv"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for noise in np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8):
        writer.write(noise)
    writer.release()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        frames = list(read_frames(source_of(file)))
    assert 0 < len(frames) < 40
    assert f"cut.mkv: ends after {len(frames)} of 40 frames" in caplog.text
