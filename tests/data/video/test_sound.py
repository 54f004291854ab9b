"""Sound is kept, and in step with the pictures: a flash and a beep come together."""

import numpy as np
import pytest

from retinaface_tf.data.video.reading import read_video
from retinaface_tf.data.video.writing import open_writer

av = pytest.importorskip("av")


def copy(source):
    """Writes the frames of a video and its sound into another file."""
    frames = list(read_video(str(source)))
    out = source.with_name("out.mp4")
    writer = open_writer(out, frames[0].pixels, frames[0].rate, str(source))
    for frame in frames:
        writer.write(frame.pixels, frame.seconds)
    writer.close()
    return out


def flash_beep_and_end(file):
    """Seconds at which a file's flash and beep come, and of the whole file."""
    with av.open(str(file)) as container:
        pictures = container.decode(video=0)
        flash = next(frame.time for frame in pictures if frame.to_ndarray().mean() > 128)
    with av.open(str(file)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2)
            if loud.size:
                beep = frame.time + loud[0] / frame.sample_rate
                return flash, beep, container.duration / 1e6
    raise AssertionError("no beep")


@pytest.mark.parametrize("starts", [(0, 0), (0.48, 0), (0, 0.5)])
@pytest.mark.parametrize(("name", "sound"), [("v.ts", "aac"), ("v.mp4", "aac"), ("v.mkv", "opus")])
def test_sound_is_in_step_whichever_of_sound_and_pictures_begins_first(
    clapper, name, sound, starts
):
    source = clapper(name, sound=sound, starts=starts)
    flash, beep, end = flash_beep_and_end(copy(source))
    assert flash == pytest.approx(1.2 - starts[0], abs=0.001)
    assert beep == pytest.approx(flash, abs=0.03)
    assert end == pytest.approx(2 - starts[0], abs=0.05)


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("v.avi", "mpeg4", "pcm_s16le"),
        ("v.avi", "mpeg4", "mp3"),
        ("v.mkv", "libx264", "pcm_s24le"),
        ("v.mkv", "libx264", "mp3"),
        ("v.mkv", "libx264", "flac"),
        ("v.webm", "libvpx", "vorbis"),
        ("v.ts", "libx264", "ac3"),
    ],
)
def test_sound_that_mp4_or_browsers_lack_is_in_step(clapper, name, codec, sound):
    flash, beep, end = flash_beep_and_end(copy(clapper(name, codec, sound)))
    assert (flash, end) == (pytest.approx(1.2, abs=0.05), pytest.approx(2, abs=0.05))
    assert beep == pytest.approx(flash, abs=0.03)


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_after_a_gap_the_sound_is_in_step_again(clapper, sound):
    source = clapper("v.mkv", sound=sound, gap=range(20, 40))
    flash, beep, _ = flash_beep_and_end(copy(source))
    assert beep == pytest.approx(flash, abs=0.03)


def test_sound_is_in_step_where_the_first_pictures_cannot_be_decoded(clapper):
    source = clapper("v.ts")
    content = source.read_bytes()
    source.write_bytes(content[len(content) // 10 // 188 * 188 :])  # cut between key frames
    flash, beep, _ = flash_beep_and_end(copy(source))
    assert flash < 1
    assert beep == pytest.approx(flash, abs=0.03)


def test_what_a_phone_has_trimmed_stays_away_and_sound_is_in_step(clapper, caplog):
    source = clapper("v.mp4", shift=-0.48)  # which MP4 stores whole, with an edit list
    flash, beep, end = flash_beep_and_end(copy(source))
    assert (flash, end) == (pytest.approx(0.72, abs=0.001), pytest.approx(1.52, abs=0.05))
    assert beep == pytest.approx(flash, abs=0.03)
    assert not caplog.messages
