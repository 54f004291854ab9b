"""Writes videos with the library that is installed."""

from pathlib import Path
from typing import Protocol

from retinaface_tf.data.video.frame import Pixels
from retinaface_tf.data.video.pyav import has_pyav


class VideoWriter(Protocol):
    """Writes the frames of a video."""

    def write(self, picture: Pixels, seconds: float) -> None:
        """Adds a frame, RGB uint8 [H, W, 3], shown at a time since the first frame."""
        ...

    def close(self) -> None:
        """Writes the rest of the video."""
        ...


def open_writer(file: Path, first: Pixels, rate: float, sound_of: str | None = None) -> VideoWriter:
    """Opens a video for writing, with PyAV if it is installed, else with OpenCV.

    Args:
        file: to write, an MP4.
        first: its first frame, which sets the size: RGB uint8 [H, W, 3].
        rate: frames per second on average.
        sound_of: the path of the video whose sound is copied; None for no sound.

    Raises:
        InputError: the file cannot be written, or no video can have the size or rate.
    """
    if has_pyav():
        from retinaface_tf.data.video.h264 import H264Writer

        return H264Writer(file, first, rate, sound_of)
    from retinaface_tf.data.video.mpeg4 import Mpeg4Writer

    return Mpeg4Writer(file, first, rate)
