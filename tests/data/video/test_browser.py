"""What is written, in a headless Chromium."""

import time

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
    (tmp_path / "page.html").write_text('<video id="v" src="out.mp4" muted autoplay></video>')
    browser.open(tmp_path / "page.html")
    duration, width, of_pictures, of_sound = played(browser)
    assert duration == pytest.approx(2.0, abs=0.1)
    assert width == 64
    assert of_pictures > 0
    assert of_sound > 0


def played(browser):
    """Duration, width, and decoded bytes of pictures and sound, once some were played."""
    script = """(() => { const v = document.getElementById("v"); return v.error
        ? v.error.message : [v.duration, v.videoWidth, v.webkitVideoDecodedByteCount,
        v.webkitAudioDecodedByteCount]; })()"""
    deadline = time.monotonic() + 20
    while True:
        state = browser.run(script)
        is_done = isinstance(state, str) or (state[2] and state[3])
        if is_done or time.monotonic() > deadline:
            return state
        time.sleep(0.1)
