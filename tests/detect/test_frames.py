import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.detect.frames import read_frames
from retinaface_tf.detect.sources import Source, count_frames, find_sources
from retinaface_tf.errors import InputError


def source_of(file: Path) -> Source:
    return find_sources([str(file)], Path("nowhere"))[0]


def write_video(file: Path, frames: int) -> Path:
    """Writes a video of noise, 64 x 48 at 10 frames a second."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for noise in np.random.default_rng(0).integers(0, 255, (frames, 48, 64, 3), np.uint8):
        writer.write(noise)
    writer.release()
    return file


def test_a_videos_frames_have_number_time_and_pixels(video):
    frames = list(read_frames(source_of(video)))
    assert [frame.number for frame in frames] == list(range(12))
    assert [frame.seconds for frame in frames[:3]] == [0, 0.1, 0.2]
    for frame in frames:
        assert frame.pixels.shape == (48, 64, 3)
        assert abs(frame.pixels.mean() - (20 + 10 * frame.number)) < 3


def test_times_of_frames_are_those_of_the_container(tmp_path):
    file = write_video(tmp_path / "v.mkv", frames=4)
    content = file.read_bytes()
    # In Matroska, 100 ms after the begin of a cluster, and a cluster that begins at 200 ms.
    block, cluster = b"\x81\0%c", b"\xe7\x81%c"
    assert (content.count(block % 100), content.count(cluster % 200)) == (2, 1)
    content = content.replace(block % 100, block % 40).replace(cluster % 200, cluster % 250)
    file.write_bytes(content)
    assert [frame.seconds for frame in read_frames(source_of(file))] == [0, 0.04, 0.25, 0.29]


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


@pytest.mark.parametrize("name", ["2024-01-01T12:30:00.mp4", "http:a.mp4", "file:%03d.mp4"])
def test_a_name_is_never_taken_for_a_protocol_or_a_pattern(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "v.mp4", frames=3).rename(name)
    assert count_frames([source_of(Path(name))], None) == 3
    assert len(list(read_frames(source_of(Path(name))))) == 3


def test_a_video_whose_name_is_not_utf8_is_refused(tmp_path):
    file = tmp_path / os.fsdecode(b"\xff.mp4")
    file.touch()
    source = source_of(file)
    assert count_frames([source], None) == 0
    with pytest.raises(InputError, match="expected a name in UTF-8"):
        list(read_frames(source))


@pytest.mark.parametrize("number", ["9" * 30, "4321"])
def test_a_camera_that_is_not_there_is_refused(number):
    with pytest.raises(InputError, match=number):
        list(read_frames(Source(number, "camera", Path("camera.mp4"))))


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4"])
def test_garbage_is_told_by_name(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"garbage")
    with pytest.raises(InputError, match=f"{name}: "):
        list(read_frames(source_of(file)))


def test_a_video_that_ends_before_its_time_is_read_as_far_as_it_goes(tmp_path, caplog):
    file = write_video(tmp_path / "cut.mkv", frames=40)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        frames = list(read_frames(source_of(file)))
    assert 0 < len(frames) < 40
    assert f"cut.mkv: {len(frames)} of about 40 frames can be read" in caplog.text
