"""Files by both libraries."""

import logging
import sys

import numpy as np
import pytest

from retinaface_tf.data.video import pyav, reading
from retinaface_tf.data.video.frame import Clock
from retinaface_tf.data.video.reading import read_video
from retinaface_tf.data.video.writing import open_writer
from retinaface_tf.errors import InputError


@pytest.fixture(params=["pyav", "opencv"])
def library(request, monkeypatch):
    if request.param == "pyav":
        pytest.importorskip("av")
    monkeypatch.setattr(reading, "has_pyav", lambda: request.param == "pyav")


@pytest.fixture
def without_pyav(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    pyav.has_pyav.cache_clear()
    yield
    pyav.has_pyav.cache_clear()


@pytest.mark.parametrize(("angle", "bright"), [(90, "top"), (180, "left"), (270, "bottom")])
def test_a_video_is_upright_in_both_libraries(tmp_path, library, angle, bright):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "v.mp4"), "w") as output:
        stream = output.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(angle)  # counterclockwise
        pixels = np.zeros((32, 64, 3), np.uint8)
        pixels[:, 32:] = 255  # the right side
        output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        output.mux(stream.encode(None))
    [frame] = read_video(str(tmp_path / "v.mp4"))
    pixels, size = frame.pixels, 8
    edges = {
        "top": pixels[:size],
        "bottom": pixels[-size:],
        "left": pixels[:, :size],
        "right": pixels[:, -size:],
    }
    assert pixels.shape == ((32, 64, 3) if angle == 180 else (64, 32, 3))
    assert [name for name, edge in edges.items() if edge.min() > 240] == [bright]


def test_times_rise_whatever_a_container_says():
    clock = Clock(rate=10)
    times = [clock.count(seconds) for seconds in (5.0, 5.1, 5.1, None, 4.0, 6.0)]
    assert times == pytest.approx([0, 0.1, 0.125, 0.225, 0.325, 1.0])


def test_times_are_right_again_soon_after_frames_in_disorder():
    clock = Clock(rate=10)
    times = [clock.count(seconds) for seconds in (0.0, 0.9, 0.1, 1.0, 0.2, 1.1, 1.2, 1.3)]
    assert times == pytest.approx([0, 0.9, 0.925, 1.0, 1.025, 1.1, 1.2, 1.3])


def test_without_pyav_opencv_works_and_one_line_says_what_is_lost(tmp_path, without_pyav, caplog):
    pixels = np.full((48, 64, 3), 90, np.uint8)
    with caplog.at_level(logging.WARNING):
        for name in ("a.mp4", "b.mp4"):
            writer = open_writer(tmp_path / name, pixels, 10.0, None)
            for i in range(3):
                writer.write(pixels, i / 10)
            writer.close()
            assert len(list(read_video(str(tmp_path / name)))) == 3
    [line] = caplog.messages
    assert "sound" in line
    assert "retinaface-tf[video]" in line


def test_a_stream_without_pyav_is_refused_with_its_extra(without_pyav):
    with pytest.raises(InputError, match=r"retinaface-tf\[video\]"):
        list(read_video("http://127.0.0.1:1/video.mjpg"))
