"""Copies the sound of one video into another with PyAV, as its pictures are written."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Final, TypeAlias, cast

import av

from retinaface_tf.data.video.by_pyav import MICROSECONDS, open_video
from retinaface_tf.data.video.names import absolute_name
from retinaface_tf.data.video.packets import decode_packets
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.wording import counted

CODEC: Final = "aac"  # copied as it is; other sound is encoded as AAC
RATE = 48_000  # samples per second of encoded sound
RUN_UP = 0.1  # seconds of sound before 0, for decoders to settle; players skip them
TAIL = 1.0  # seconds for which a video, and its sound, may continue after the last picture

Packet: TypeAlias = "av.Packet[av.AudioStream]"

log = logging.getLogger(__name__)


class Sound:
    """Copies the sound of a video file, in steps."""

    def __init__(self, source: str, output: "av.container.OutputContainer"):
        """Adds a stream to an output not yet begun, unless the source has no sound."""
        self._source, self._output = source, output
        self._input = av.open(absolute_name(source), "r")
        self._start, self._duration = _time_of_first_picture(source), self._measure()
        self._damaged = 0
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
        if self._damaged:
            packets = counted(self._damaged, "packet")
            log.warning("%s: %s of its sound cannot be decoded", self._source, packets)

    def _measure(self) -> float:
        """Returns how many seconds the pictures last; 0 if the source does not say."""
        pictures = self._input.streams.best("video")
        if pictures is None or pictures.time_base is None or pictures.duration is None:
            return (self._input.duration or 0) / MICROSECONDS
        return float(pictures.duration * pictures.time_base)

    def _advance(self) -> "Packet | None":
        try:
            return next(self._packets, None)
        except av.error.FFmpegError as error:
            log.warning("%s: its sound ends early, %s", self._source, one_line(error))
            return None

    def _copied(self, stream: av.AudioStream, output: av.AudioStream) -> Iterator[Packet]:
        last = -RUN_UP
        for packet, frames in decode_packets(self._input, stream):
            if frames is None:  # a browser would stop there
                self._damaged += 1
            elif packet is not None and packet.dts is not None and packet.pts is not None:
                shift = round(self._start / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if (time := _time(packet)) >= last:
                    packet.stream, last = output, time
                    yield packet

    def _encoded(self, stream: av.AudioStream, output: av.AudioStream) -> Iterator[Packet]:
        output.layout = "mono" if stream.channels == 1 else "stereo"
        samples = 0
        for frame in _fill_gaps(self._frames(stream)):
            frame.pts, frame.time_base = samples, Fraction(1, RATE)
            samples += frame.samples
            yield from output.encode(frame)
        yield from output.encode(None)

    def _frames(self, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
        """Yields the sound, timed since the first picture."""
        for _, frames in decode_packets(self._input, stream):
            self._damaged += frames is None
            for frame in frames or ():
                if frame.pts is not None and frame.time_base is not None:
                    frame.pts -= round(self._start / frame.time_base)
                    # Damaged times may be hours later.
                    if not self._duration or frame.time < self._duration + TAIL:
                        yield frame


def _fill_gaps(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Resamples sound so that it begins at 0, with silence where there is no sound."""
    first = next(frames, None)
    if first is None:
        return
    graph = av.filter.Graph()
    form = (first.sample_rate, first.format.name, first.layout.name)
    buffer = graph.add_abuffer(None, *form, time_base=first.time_base)
    fill = graph.add("aresample", f"{RATE}:async=1:first_pts=0")
    graph.link_nodes(buffer, fill, graph.add("abuffersink")).configure()
    for frame in itertools.chain([first], frames, [None]):
        if frame and (frame.sample_rate, frame.format.name, frame.layout.name) != form:
            continue  # damaged
        graph.push(frame)
        with suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                yield cast(av.AudioFrame, graph.pull())


def _time_of_first_picture(source: str) -> float:
    """Returns seconds on the container's clock: later than its begin where that is damaged."""
    with suppress(InputError), open_video(source) as video:
        for image in video.images:
            return image.seconds or 0.0
    return 0.0


def _time(packet: Packet) -> float:
    return float((packet.pts or 0) * packet.time_base)
