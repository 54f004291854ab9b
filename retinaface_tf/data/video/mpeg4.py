"""Writes videos with OpenCV as MPEG-4 part 2, at a constant rate, without sound."""

from pathlib import Path

import cv2

from retinaface_tf.data.video.frame import Pixels
from retinaface_tf.data.video.names import absolute_name
from retinaface_tf.errors import InputError


class Mpeg4Writer:
    """Writes a video with a constant frame rate."""

    def __init__(self, file: Path, first: Pixels, rate: float):
        """Opens a file.

        Args:
            file: to write.
            first: its first frame, which sets the size: RGB uint8 [H, W, 3].
            rate: frames per second.

        Raises:
            InputError: the file cannot be written, or no video can have the size or rate.
        """
        codec, name = cv2.VideoWriter.fourcc(*"mp4v"), absolute_name(str(file))
        height, width, _ = first.shape
        # MPEG-4 counts time in fractions of at most 65535, which 211.222 per second exceeds.
        for whole in (rate, round(rate)):
            self._video = cv2.VideoWriter(name, codec, whole, (width, height))
            if self._video.isOpened():
                return
        raise InputError(
            f"{file}: cannot be written as a video of {width} x {height} pixels at {rate:g} "
            f"frames per second"
        )

    def write(self, picture: Pixels, seconds: float) -> None:
        """Adds a frame, RGB uint8 [H, W, 3]; the rate decides when it is shown."""
        self._video.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Writes the rest of the video."""
        self._video.release()
