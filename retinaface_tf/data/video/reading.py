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

SLACK = 0.1  # seconds by which sound may outlast the pictures

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
        _report_damage(source, video, count)


def _report_damage(source: str, video: OpenVideo, count: int) -> None:
    """Logs how many frames could be read and how many of them have faults, unless all is well."""
    lost, faulty = video.damage.lost, video.damage.faulty
    missing = video.length - count
    if video.is_counted or missing > SLACK * video.rate:
        lost = max(lost, missing)
    if lost or faulty:
        expected = f"{count + lost}" if video.is_counted else f"about {count + lost}"
        log.warning(
            "%s: %d of %s frames can be read, %d of them with faults",
            source,
            count,
            expected,
            faulty,
        )


def _open(source: str) -> AbstractContextManager[OpenVideo]:
    """Opens a file or a camera; cameras with OpenCV, which finds them on every system."""
    if is_camera(source) or not has_pyav():
        from retinaface_tf.data.video.by_opencv import open_video
    else:
        from retinaface_tf.data.video.by_pyav import open_video
    return open_video(source)
