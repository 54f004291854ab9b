"""Copies the sound of one video into another with PyAV, as its pictures are written."""

import logging
from collections.abc import Iterator
from typing import Final, TypeAlias

import av

from retinaface_tf.data.video.names import absolute_name
from retinaface_tf.errors import one_line

CODEC: Final = "aac"  # copied as it is; other sound is encoded as AAC
RATE = 48_000  # samples per second of encoded sound
RUN_UP = 0.1  # seconds of sound before 0, for decoders to settle; players skip them
TAIL = 1.0  # seconds for which a video, and its sound, may continue after the last picture
MICROSECONDS = 1_000_000  # of a container's duration

Packet: TypeAlias = "av.Packet[av.AudioStream]"

log = logging.getLogger(__name__)


class Sound:
    """Copies the sound of a video file, in steps."""

    def __init__(self, source: str, output: "av.container.OutputContainer"):
        """Adds a stream to an output not yet begun, unless the source has no sound."""
        self._source, self._output = source, output
        self._input = av.open(absolute_name(source), "r")
        self._start, self._duration = self._span_of_pictures()
        self._packets: Iterator[Packet] = iter(())
        stream = self._input.streams.best("audio")
        if isinstance(stream, av.AudioStream) and stream.codec_context:
            codec = stream.codec_context
            if codec.name == CODEC and codec.extradata:  # else, as in MPEG-TS, MP4 has no header
                self._packets = self._copied(stream, output.add_stream_from_template(stream))
            else:
                self._packets = self._encoded(stream, output.add_stream(CODEC, RATE))
        self._next = self._advance()

    def copy_until(self, seconds: float) -> None:
        """Writes the sound up to a time, in seconds since the first picture."""
        while self._next is not None and _time(self._next) <= seconds:
            self._output.mux(self._next)
            self._next = self._advance()

    def finish(self, seconds: float) -> None:
        """Writes the sound until the last picture ends, or all sound if it is the source's last."""
        is_whole = seconds + TAIL > self._duration
        self.copy_until(float("inf") if is_whole else seconds)
        self._input.close()

    def _span_of_pictures(self) -> tuple[float, float]:
        """Returns when the first picture is shown, and how many seconds the pictures last."""
        pictures = self._input.streams.best("video")
        if pictures is None or pictures.time_base is None:
            return 0.0, 0.0
        start = float((pictures.start_time or 0) * pictures.time_base)
        if pictures.duration is None:
            return start, (self._input.duration or 0) / MICROSECONDS
        return start, float(pictures.duration * pictures.time_base)

    def _advance(self) -> "Packet | None":
        try:
            return next(self._packets, None)
        except av.error.FFmpegError as error:
            log.warning("%s: its sound ends early, %s", self._source, one_line(error))
            return None

    def _copied(self, stream: av.AudioStream, output: av.AudioStream) -> Iterator[Packet]:
        for packet in self._input.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if _time(packet) >= -RUN_UP:
                packet.stream = output
                yield packet

    def _encoded(self, stream: av.AudioStream, output: av.AudioStream) -> Iterator[Packet]:
        output.layout = "mono" if stream.channels == 1 else "stereo"
        for frame in self._input.decode(stream):
            if frame.pts is not None and frame.time_base is not None:
                frame.pts -= round(self._start / frame.time_base)
                if frame.pts < 0:
                    continue
            yield from output.encode(frame)
        yield from output.encode(None)


def _time(packet: Packet) -> float:
    return float((packet.pts or 0) * packet.time_base)
