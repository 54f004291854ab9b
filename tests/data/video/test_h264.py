"""H.264 by PyAV, read back by PyAV."""

import numpy as np
import pytest

from retinaface_tf.data.video.reading import read_video
from retinaface_tf.errors import InputError

av = pytest.importorskip("av")
h264 = pytest.importorskip("retinaface_tf.data.video.h264")


def picture(*colour, height=48, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def write(file, times, rate=25.0, sound_of=None, first=None):
    first = picture(90, 90, 90) if first is None else first
    writer = h264.H264Writer(file, first, rate, sound_of)
    for seconds in times:
        writer.write(first, seconds)
    writer.close()
    return file


def times_of(file):
    return [frame.seconds for frame in read_video(str(file))]


def heard(file):
    """Loudness of each 0.1 s of a file's sound, and the codec; None where it has none."""
    with av.open(str(file)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        samples = [frame.to_ndarray().astype(float).ravel() for frame in container.decode(stream)]
        wave = np.concatenate(samples)
        scale = np.abs(wave).max()
        tenths = len(wave) // (stream.rate // 10)
        loud = [np.abs(part).mean() / scale > 0.1 for part in np.array_split(wave, tenths)]
        return stream.codec_context.name, sum(loud) / 10


@pytest.mark.parametrize(
    "times", [[0, 0.04, 0.08, 1.12, 3.16], [i / 211.222 for i in range(5)], [0, 1e-3, 2e-3]]
)
def test_frames_are_shown_at_their_times_at_any_rate(tmp_path, times):
    assert times_of(write(tmp_path / "v.mp4", times)) == pytest.approx(times, abs=1e-4)


def test_a_browser_can_play_the_file_and_begin_before_it_has_all(tmp_path):
    file = write(tmp_path / "v.mp4", [0, 0.04])
    content = file.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(file)) as container:
        [video] = container.streams
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")


def test_a_size_may_be_odd_and_frames_of_another_are_scaled(tmp_path):
    writer = h264.H264Writer(tmp_path / "v.mp4", picture(9, 9, 9, height=33, width=21), 25.0)
    writer.write(picture(9, 9, 9, height=33, width=21), 0.0)
    writer.write(picture(9, 9, 9, height=66, width=42), 0.04)
    writer.close()
    assert [frame.pixels.shape for frame in read_video(str(tmp_path / "v.mp4"))] == [
        (34, 22, 3)
    ] * 2


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (20, 60, 230), (255, 255, 255)])
def test_colours_are_kept(tmp_path, colour):
    [frame] = read_video(str(write(tmp_path / "v.mp4", [0], first=picture(*colour))))
    np.testing.assert_allclose(frame.pixels[24, 32], colour, atol=4)


@pytest.mark.parametrize(
    ("name", "pictures", "sound"),
    [("v.mp4", "libx264", "aac"), ("v.mkv", "mpeg4", "pcm_s16le"), ("v.avi", "mpeg4", "mp3")],
)
def test_sound_of_any_codec_is_kept_as_aac(tmp_path, sounding, name, pictures, sound):
    source = sounding(name, pictures, sound)
    times = times_of(source)
    assert len(times) == 50
    codec, seconds = heard(write(tmp_path / "out.mp4", times, sound_of=str(source)))
    assert codec == "aac"
    assert seconds == pytest.approx(2.0, abs=0.11)


def test_sound_ends_with_the_pictures_where_not_all_are_written(tmp_path, sounding):
    source = sounding("v.mp4", "libx264", "aac")
    _, seconds = heard(write(tmp_path / "out.mp4", times_of(source)[:20], sound_of=str(source)))
    assert seconds == pytest.approx(0.8, abs=0.11)


def test_a_silent_video_stays_silent(tmp_path):
    source = write(tmp_path / "a.mp4", [0, 0.04])
    assert heard(write(tmp_path / "b.mp4", [0, 0.04], sound_of=str(source))) is None


@pytest.mark.parametrize(("name", "width"), [("v.mp4", 40_000), ("no/folder/v.mp4", 64)])
def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, name, width):
    with pytest.raises(InputError, match=name):
        write(tmp_path / name, [0], first=picture(0, 0, 0, height=16, width=width))
    assert not (tmp_path / name).exists()
