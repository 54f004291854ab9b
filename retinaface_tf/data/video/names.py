"""Tells files, cameras and streams apart by their names."""

import os
from urllib.parse import urlsplit

from retinaface_tf.errors import InputError

STREAMS = ("http://", "https://", "rtsp://", "rtsps://")


def is_stream(source: str) -> bool:
    """Tells whether a name is the address of a stream."""
    return source.lower().startswith(STREAMS)


def is_camera(source: str) -> bool:
    """Tells whether a name is a camera's number or device."""
    return source.isdecimal() or source.startswith("/dev/video")


def without_password(source: str) -> str:
    """Returns a name that may be shown and stored: an address without user and password."""
    if not is_stream(source):
        return source
    parts = urlsplit(source)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def absolute_name(path: str) -> str:
    """Returns the path of a video in a form that FFmpeg can only take for a file.

    FFmpeg would take what precedes a colon for a protocol, as in `2024-01-01T12:30:00.mp4`.

    Raises:
        InputError: the name is not UTF-8; OpenCV crashes on such names.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(f"{path}: expected a name in UTF-8, rename the video") from None
    return os.path.abspath(path)
