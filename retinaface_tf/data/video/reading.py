"""Reads the frames of videos, cameras and streams as RGB."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager

from retinaface_tf.data.video.frame import Clock, OpenVideo, VideoFrame
from retinaface_tf.data.video.names import is_camera, is_stream
from retinaface_tf.data.video.pyav import has_pyav
from retinaface_tf.errors import InputError
from retinaface_tf.extras import import_extra

log = logging.getLogger(__name__)


def read_video(source: str, max_frames: int | None = None) -> Iterator[VideoFrame]:
    """Reads frames one by one, on request.

    Args:
        source: the path of a video; a camera's number such as `0`, or its device; the address of a
            stream.
        max_frames: how many to read at most; None reads to the end, and from a camera for ever.

    Raises:
        InputError: no frame can be read, a stream broke off for good, or PyAV, which streams
            need, is not installed.
    """
    yield from itertools.islice(_read(source), max_frames)


def count_frames(source: str) -> int:
    """Returns how many frames a video claims to have; 0 if it does not say."""
    try:
        with _open(source) as video:
            return video.length
    except InputError:
        return 0


def _read(source: str) -> Iterator[VideoFrame]:
    if not is_stream(source):
        return _read_file(source)
    import_extra("av", "video")
    from retinaface_tf.data.video.live import read_stream

    return read_stream(source)


def _read_file(source: str) -> Iterator[VideoFrame]:
    count = 0
    with _open(source) as video:
        clock = Clock(video.rate)
        for image in video.images:
            yield VideoFrame(count, clock.count(image.seconds), video.rate, image.pixels)
            count += 1
        if not count:
            raise InputError(f"{source}: expected a video or a camera, no frame can be read")
        if count < video.length:
            log.warning("%s: ends after %d of %d frames", source, count, video.length)


def _open(source: str) -> AbstractContextManager[OpenVideo]:
    """Opens a file or a camera; cameras with OpenCV, which finds them on every system."""
    if is_camera(source) or not has_pyav():
        from retinaface_tf.data.video.by_opencv import open_video
    else:
        from retinaface_tf.data.video.by_pyav import open_video
    return open_video(source)
