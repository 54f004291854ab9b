"""Damaged videos: what can be read is used, and one line tells what cannot."""

import json
import re

import pytest
from brightness import Brightness

from retinaface_tf.data.video import reading
from retinaface_tf.detect.output import OutputOptions
from retinaface_tf.detect.run import detect_paths
from retinaface_tf.errors import InputError

av = pytest.importorskip("av")

READ, LINE = reading.__name__, r"{}: (\d+) of (?:about )?(\d+) frames can be read, (\d+) of them"


def flip(content):
    return bytes(
        byte ^ 0xFF if 0.4 < i / len(content) < 0.6 and i % 500 == 0 else byte
        for i, byte in enumerate(content)
    )


def blank(content, begin=0.4, end=0.5):
    begin, end = int(len(content) * begin), int(len(content) * end)
    return content[:begin] + bytes(end - begin) + content[end:]


def cut_out(content):
    return content[: int(len(content) * 0.4)] + content[int(len(content) * 0.5) :]


def cut_short(content):
    return content[: int(len(content) * 0.6)]


def detect(file):
    detect_paths(Brightness(), [str(file)], file.parent / "out", OutputOptions())
    lines = (file.parent / "out/detections.jsonl").read_text().splitlines()
    return [json.loads(line)["seconds"] for line in lines]


def damage(caplog, file):
    """Numbers of frames that can be read, that there are, and that have faults."""
    lines = [text for name, _, text in caplog.record_tuples if name == READ]
    [found] = (re.match(LINE.format(re.escape(str(file))), line) for line in lines)
    return [int(number) for number in found.groups()]


@pytest.mark.parametrize(
    ("name", "sound", "harm"),
    [
        ("v.mp4", "aac", flip),
        ("v.mp4", "aac", blank),
        *[("v.mkv", "aac", harm) for harm in (flip, blank, cut_out, cut_short)],
        *[("v.ts", "aac", harm) for harm in (flip, blank, cut_out)],
        ("v.webm", "opus", cut_out),
        ("v.avi", "pcm_s16le", blank),
    ],
)
def test_frames_around_damage_are_detected_and_written_and_one_line_counts_the_rest(
    clapper, caplog, name, sound, harm
):
    codec = {"v.webm": "libvpx", "v.avi": "mpeg4"}.get(name, "libx264")
    file = clapper(name, codec, sound)
    file.write_bytes(harm(file.read_bytes()))
    seconds = detect(file)
    read, total, faulty = damage(caplog, file)
    assert len(seconds) == read
    assert total == pytest.approx(50, abs=2)
    assert 25 <= read < total or faulty
    if harm is not cut_short and name != "v.avi":  # AVI has no times
        assert seconds[-1] == pytest.approx(1.96, abs=0.05)
    [out] = (file.parent / "out").glob("*.mp4")
    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == read
    with av.open(str(out)) as container:  # a browser stops where sound cannot be decoded
        assert sum(frame.samples for frame in container.decode(audio=0)) > 48_000


def test_all_frames_before_a_damaged_end_are_detected(clapper, caplog):
    file = clapper("v.mp4")
    with av.open(str(file)) as container:
        *_, last = (packet for packet in container.demux(video=0) if packet.size)
    content = file.read_bytes()
    end = last.pos + last.size
    file.write_bytes(content[: last.pos] + bytes(last.size) + content[end:])
    assert len(detect(file)) == 49
    assert damage(caplog, file) == [49, 50, 0]


@pytest.mark.parametrize("harm", [lambda content: blank(content, 0.01, 0.9), cut_short])
def test_a_video_of_which_nothing_can_be_decoded_is_refused_by_name(clapper, harm):
    file = clapper("v.mp4")
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(InputError, match=re.escape(f"{file}: expected a video")):
        detect(file)
    assert not list((file.parent / "out").glob("*.mp4"))


@pytest.mark.parametrize(
    ("name", "sound", "starts"),
    [
        ("v.mkv", "mp3", (0, 0)),
        ("v.mkv", "aac", (0.48, 0)),
        ("v.ts", "aac", (0.48, 0)),
        ("v.ts", "aac", (0, 0.5)),
        ("v.avi", "mp3", (0, 0)),
    ],
)
def test_of_a_whole_video_no_damage_is_told(clapper, caplog, name, sound, starts):
    detect(clapper(name, "mpeg4" if name == "v.avi" else "libx264", sound, starts))
    assert not caplog.messages
