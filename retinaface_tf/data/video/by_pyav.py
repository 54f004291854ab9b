"""Reads videos and streams with PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np

from retinaface_tf.data.video.frame import DEFAULT_RATE, OpenVideo, Pixels, TimedImage
from retinaface_tf.data.video.names import absolute_name, is_stream, without_password
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
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or DEFAULT_RATE)
        length = stream.frames or round((container.duration or 0) / MICROSECONDS * rate)
        is_live = is_stream(source) and container.duration is None
        yield OpenVideo(rate, length, is_live, _images(container, stream))


def _images(
    container: "av.container.InputContainer", stream: "av.VideoStream"
) -> Iterator[TimedImage]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # cut short, or the network is gone
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # damaged; other frames may be whole
            continue
        for frame in frames:
            yield TimedImage(frame.time, _upright(frame))


def _upright(frame: "av.VideoFrame") -> Pixels:
    pixels = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters), np.uint8)
