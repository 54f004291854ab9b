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
