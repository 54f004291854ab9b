"""Reads videos and cameras with OpenCV."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from retinaface_tf.data.video.frame import DEFAULT_RATE, Damage, OpenVideo, TimedImage
from retinaface_tf.data.video.names import absolute_name
from retinaface_tf.errors import InputError

# A video that cannot be opened is a one-line InputError; FFmpeg's own lines are unwanted.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextmanager
def open_video(source: str) -> Iterator[OpenVideo]:
    """Opens a video.

    Args:
        source: the path of a video; a camera's number such as `0`, or its device.

    Raises:
        InputError: there is no such camera, or a name is not UTF-8. A file that is not a video
            fails later, at the first frame.
    """
    try:
        video = cv2.VideoCapture(int(source) if source.isdecimal() else absolute_name(source))
    except (ValueError, OverflowError, cv2.error):
        raise InputError(f"{source}: no such camera") from None
    try:
        rate = video.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE
        length = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        yield OpenVideo(rate, length, False, False, _images(video), Damage())
    finally:
        video.release()


def _images(video: cv2.VideoCapture) -> Iterator[TimedImage]:
    while True:
        is_read, image = video.read()
        if not is_read:
            return
        seconds = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        yield TimedImage(seconds, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
