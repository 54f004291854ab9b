"""Reads videos and streams with PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np

from retinaface_tf.data.video.frame import DEFAULT_RATE, Damage, OpenVideo, Pixels, TimedImage
from retinaface_tf.data.video.names import absolute_name, is_stream, without_password
from retinaface_tf.data.video.packets import decode_packets
from retinaface_tf.errors import InputError

TIMEOUT = 10.0  # seconds for which a network may be silent
MICROSECONDS = 1_000_000  # of a container's duration


@contextmanager
def open_video(source: str) -> Iterator[OpenVideo]:
    """Opens a video.

    Args:
        source: the path of a video or the address of a stream.

    Raises:
        InputError: the source cannot be opened, or has no pictures.
    """
    name = source if is_stream(source) else absolute_name(source)
    # FFmpeg reads frames ahead to guess their rate; they would all come at once.
    options = {"fpsprobesize": "0"} if is_stream(source) else {}
    try:
        container = av.open(name, "r", options=options, timeout=TIMEOUT)
    except av.error.FFmpegError as error:
        # Not the whole message, which includes the password.
        reason = error.strerror or type(error).__name__
        raise InputError(f"{without_password(source)}: expected a video, {reason}") from None
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream) or not stream.codec_context:
            raise InputError(
                f"{without_password(source)}: expected a video, found no pictures of a known codec"
            )
        # Threads for several frames would lose whole frames before a damaged end.
        stream.thread_type = "SLICE"
        rate, damage = float(stream.average_rate or DEFAULT_RATE), Damage()
        yield OpenVideo(
            rate,
            _count(container, stream, rate),
            stream.frames > 0,
            is_stream(source) and container.duration is None,
            _images(container, stream, damage),
            damage,
        )


def _count(container: "av.container.InputContainer", stream: "av.VideoStream", rate: float) -> int:
    """Returns how many frames a video has: counted, or else estimated."""
    if stream.frames:
        # An edit list leaves out some. An AVI that is cut short has lost its index.
        shown = sum(not entry.is_discard for entry in stream.index_entries)
        return shown if shown > 1 else stream.frames
    tick = stream.time_base or 0
    if stream.duration is not None:
        return round(float(stream.duration * tick) * rate)
    end = _end_by_tag(stream)
    if end is None:
        end = ((container.start_time or 0) + (container.duration or 0)) / MICROSECONDS
    return round(max(end - float((stream.start_time or 0) * tick), 0) * rate)


def _end_by_tag(stream: "av.VideoStream") -> float | None:
    """Returns when Matroska's tag says that the pictures end, which may be before the sound."""
    try:
        hours, minutes, seconds = map(float, stream.metadata["DURATION"].split(":"))
    except (KeyError, ValueError):
        return None
    return hours * 3600 + minutes * 60 + seconds


def _images(
    container: "av.container.InputContainer", stream: "av.VideoStream", damage: Damage
) -> Iterator[TimedImage]:
    for _, frames in decode_packets(container, stream):
        if frames is None:
            damage.lost += 1
        for frame in frames or ():
            damage.faulty += frame.is_corrupt
            yield TimedImage(frame.time, _upright(frame))


def _upright(frame: "av.VideoFrame") -> Pixels:
    pixels = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters), np.uint8)
