from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

SECONDS = 2.0  # of the sounding videos


@pytest.fixture
def sounding(tmp_path):
    """Makes a video of 50 frames at 25 a second and a tone, by container and codecs."""
    av = pytest.importorskip("av")

    def make(name: str, pictures: str, sound: str) -> Path:
        rate, file = 44_100, tmp_path / name
        with av.open(str(file), "w") as output:
            video = output.add_stream(pictures, 25)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            audio = output.add_stream(sound, rate)
            audio.layout = "mono"
            for i in range(int(SECONDS * 25)):
                picture = np.full((48, 64, 3), 4 * i, np.uint8)
                output.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            tone = np.sin(np.arange(int(SECONDS * rate)) * (2 * np.pi * 440 / rate)) * 8000
            frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts = rate, 0
            output.mux(audio.encode(frame))
            for stream in (video, audio):
                output.mux(stream.encode(None))
        return file

    return make


def flash(frame_class, stream, start):
    """Yields packets of noisy pictures at 25 a second, bright from 1.2 to 1.4 s."""
    noise = np.random.default_rng(0)
    for i in range(round(25 * start), int(25 * SECONDS)):
        bright = 220 if 30 <= i < 35 else 40
        picture = noise.integers(bright - 30, bright + 30, (48, 64, 3)).astype(np.uint8)
        frame = frame_class.from_ndarray(picture, "rgb24")
        frame.pts, frame.time_base = i, Fraction(1, 25)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def beep(frame_class, stream, start, gap):
    """Yields packets of silence with a tone from 1.2 to 1.4 s, and nothing in the gap."""
    for i in range(round(50 * start), int(50 * SECONDS)):
        if i in gap:
            continue
        wave = np.sin(np.arange(960) * (440 * 2 * np.pi / 48_000))
        wave *= 20_000 if 60 <= i < 70 else 0
        stereo = np.repeat(wave.astype(np.int16), 2)[None]
        frame = frame_class.from_ndarray(stereo, "s16", "stereo")
        frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), 960 * i
        yield from stream.encode(frame)
    yield from stream.encode(None)


@pytest.fixture
def clapper(tmp_path):
    """Makes a video of 2 s with a flash and a beep at 1.2 s.

    Its arguments: when pictures and sound start; fiftieths of a second without sound; seconds by
    which all is later.
    """
    av = pytest.importorskip("av")

    def make(name, codec="libx264", sound="aac", starts=(0, 0), gap=(), shift=0.0) -> Path:
        file = tmp_path / name
        with av.open(str(file), "w") as output:
            video, audio = output.add_stream(codec, 25), output.add_stream(sound, 48_000)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.codec_context.gop_size, audio.layout = 10, "stereo"
            audio.codec_context.options = {"strict": "experimental"}  # for Vorbis
            packets = [*flash(av.VideoFrame, video, starts[0])]
            packets += beep(av.AudioFrame, audio, starts[1], gap)
            for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
                ticks = round(shift / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                output.mux(packet)
        return file

    return make
