"""Reads images, and the frames of videos, cameras and streams."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.data.video.frame import DEFAULT_RATE
from retinaface_tf.data.video.reading import read_video
from retinaface_tf.detect.sources import Source


class Frame(NamedTuple):
    """Holds an image, or a frame of a video, and its source."""

    source: Source
    number: int | None  # from 0; None for an image
    seconds: float | None  # since the start of the video; None for an image
    rate: float  # frames per second
    pixels: NDArray[np.uint8]  # RGB [H, W, 3], upright


def read_frames(source: Source, max_frames: int | None = None) -> Iterator[Frame]:
    """Reads a source, frame by frame.

    Args:
        source: of any kind.
        max_frames: how many frames to read at most, unless the source is an image.

    Raises:
        InputError: the source cannot be read.
    """
    if source.kind == "image":
        yield Frame(source, None, None, DEFAULT_RATE, read_image(Path(source.path)))
        return
    for number, seconds, rate, pixels in read_video(source.path, max_frames):
        yield Frame(source, number, seconds, rate, pixels)
