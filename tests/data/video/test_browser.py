"""What is written, in a headless Chromium."""

import time

import numpy as np
import pytest

from retinaface_tf.data.video.reading import read_video
from retinaface_tf.data.video.writing import open_writer


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_a_browser_plays_pictures_and_sound_and_knows_the_duration(
    browser, sounding, tmp_path, sound
):
    source = sounding("v.mov", "mpeg4", sound)
    frames = list(read_video(str(source)))
    writer = open_writer(tmp_path / "out.mp4", frames[0].pixels, frames[0].rate, str(source))
    for frame in frames:
        writer.write(frame.pixels, frame.seconds)
    writer.close()
    duration, width, of_pictures, of_sound = played(browser, tmp_path / "out.mp4")
    assert duration == pytest.approx(2.0, abs=0.1)
    assert width == 64
    assert of_pictures > 0
    assert of_sound > 0


@pytest.mark.parametrize(
    ("height", "width", "rate", "count"),
    [(33, 21, 25.0, 3), (48, 64, 25.0, 1), (48, 64, 240.0, 24), (48, 64, 1000 / 1001, 2)],
)
def test_a_browser_plays_any_size_rate_and_number_of_frames(
    browser, tmp_path, height, width, rate, count
):
    picture = np.full((height, width, 3), 90, np.uint8)
    writer = open_writer(tmp_path / "out.mp4", picture, rate)
    for i in range(count):
        writer.write(picture, i / rate)
    writer.close()
    duration, shown, of_pictures, _ = played(browser, tmp_path / "out.mp4", has_sound=False)
    assert duration == pytest.approx(count / rate, rel=0.01)
    assert shown == width + width % 2
    assert of_pictures > 0


def played(browser, file, has_sound=True):
    """Duration, width, and decoded bytes of pictures and sound, once some were played."""
    page = file.with_name("page.html")
    page.write_text(f'<video id="v" src="{file.name}" muted autoplay></video>')
    browser.open(page)
    script = """(() => { const v = document.getElementById("v"); return v.error
        ? v.error.message : [v.duration, v.videoWidth, v.webkitVideoDecodedByteCount,
        v.webkitAudioDecodedByteCount]; })()"""
    deadline = time.monotonic() + 20
    while True:
        state = browser.run(script)
        is_done = isinstance(state, str) or (state[2] and (state[3] or not has_sound))
        if is_done or time.monotonic() > deadline:
            return state
        time.sleep(0.1)
