"""Reads the frames of videos and cameras as RGB, with OpenCV."""

import itertools
import logging
import math
import os
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError

DEFAULT_RATE = 25.0  # frames a second, where a video does not say

# A video that cannot be opened is an InputError of one line; FFmpeg's own lines are not wanted.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

log = logging.getLogger(__name__)


class VideoFrame(NamedTuple):
    """Holds one frame of a video or a camera."""

    number: int  # from 0
    seconds: float  # since the first frame, as the container says
    rate: float  # frames a second, on average
    pixels: NDArray[np.uint8]  # RGB [H, W, 3]


def read_video(source: str, max_frames: int | None = None) -> Iterator[VideoFrame]:
    """Reads frames one by one, as they are asked for.

    Args:
        source: the path of a video; a camera's number such as `0`, or its device.
        max_frames: how many to read at most; None reads to the end, of a camera without end.

    Raises:
        InputError: no frame can be read.
    """
    video = _open(source)
    try:
        yield from itertools.islice(_frames(video, source), max_frames)
    finally:
        video.release()


def count_frames(source: str) -> int:
    """Returns how many frames a video claims to have; 0 where it does not say."""
    try:
        video = _open(source)
    except InputError:
        return 0
    length = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.release()
    return max(length, 0)


def absolute_name(path: str) -> str:
    """Returns the path of a video in the form that FFmpeg takes for nothing but a file.

    What stands before a colon would be a protocol, as in `2024-01-01T12:30:00.mp4`.

    Raises:
        InputError: the name is not UTF-8; OpenCV crashes on such names.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(f"{path}: expected a name in UTF-8, rename the video") from None
    return os.path.abspath(path)


def _open(source: str) -> cv2.VideoCapture:
    try:
        return cv2.VideoCapture(int(source) if source.isdecimal() else absolute_name(source))
    except (ValueError, OverflowError, cv2.error):
        raise InputError(f"{source}: no such camera") from None


def _frames(video: cv2.VideoCapture, source: str) -> Iterator[VideoFrame]:
    rate = video.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE
    expected = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    count, start, seconds = 0, 0.0, -math.inf
    while True:
        is_read, image = video.read()
        if not is_read:
            break
        now = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        start = start if count else now
        # Some containers and cameras do not say when a frame is shown.
        seconds = now - start if now - start > seconds else seconds + 1 / rate
        yield VideoFrame(count, seconds, rate, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        count += 1
    if not count:
        raise InputError(f"{source}: expected a video or a camera, no frame can be read")
    if count < expected:
        log.warning("%s: ends after %d of %d frames", source, count, expected)
