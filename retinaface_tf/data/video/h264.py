"""Writes videos with PyAV as H.264 in MP4, which browsers play, with the sound of the source."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from retinaface_tf.data.video.frame import Pixels
from retinaface_tf.data.video.names import absolute_name
from retinaface_tf.data.video.sound import Sound
from retinaface_tf.errors import InputError, one_line

TICK = Fraction(1, 90_000)  # seconds; times of frames are multiples of it
BT709, LIMITED = 1, 1  # H.264's codes for the colours of HD video, and for luma from 16 to 235

log = logging.getLogger(__name__)


class H264Writer:
    """Writes a video whose frames are shown at given times.

    All players of H.264 can play it: 4:2:0, with the index before the data.
    """

    def __init__(self, file: Path, first: Pixels, rate: float, sound_of: str | None = None):
        """Opens a file.

        Args:
            file: to write.
            first: its first frame, which sets the size: RGB uint8 [H, W, 3].
            rate: frames per second on average.
            sound_of: the path of the video whose sound is copied; None for no sound.

        Raises:
            InputError: the file cannot be written, or the size is too large for a video.
        """
        self._file, self._step = file, 1 / rate
        self._ticks = -1
        height, width, _ = first.shape
        with self._named():
            self._output = av.open(
                absolute_name(str(file)), "w", "mp4", container_options={"movflags": "faststart"}
            )
            self._stream = self._add_pictures(height, width, rate)
            self._sound = None if sound_of is None else _open_sound(sound_of, self._output)
            self._output.start_encoding()

    def _add_pictures(self, height: int, width: int, rate: float) -> av.VideoStream:
        stream = self._output.add_stream("libx264", Fraction(rate).limit_denominator(1000))
        stream.width, stream.height = width + width % 2, height + height % 2  # as 4:2:0 requires
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", TICK
        stream.colorspace = stream.color_primaries = stream.color_trc = BT709
        stream.color_range = LIMITED
        return stream

    def write(self, picture: Pixels, seconds: float) -> None:
        """Adds a frame.

        Args:
            picture: RGB uint8 [H, W, 3], scaled to the size of the first.
            seconds: when it is shown, later than the frame before.

        Raises:
            InputError: the file cannot be written.
        """
        height, width, _ = picture.shape
        even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24").reformat(
            self._stream.width,
            self._stream.height,
            "yuv420p",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
        )
        self._ticks = max(round(seconds / TICK), self._ticks + 1)
        frame.pts, frame.time_base = self._ticks, TICK
        with self._named():
            self._output.mux(self._stream.encode(frame))
            if self._sound is not None:
                self._sound.copy_until(seconds)

    def close(self) -> None:
        """Writes what is left, and the index.

        Raises:
            InputError: the file cannot be written.
        """
        with self._named():
            self._output.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.finish(self._ticks * float(TICK) + self._step)
            self._output.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
            reason = one_line(error)
            raise InputError(f"{self._file}: cannot be written as a video: {reason}") from None


def _open_sound(source: str, output: "av.container.OutputContainer") -> Sound | None:
    try:
        return Sound(source, output)
    except av.error.FFmpegError as error:  # it was readable before, but may be gone
        log.warning("%s: its sound is lost, %s", source, one_line(error))
        return None
