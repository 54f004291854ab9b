"""Frames of images, videos and cameras, as upright RGB."""

import itertools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.detect.sources import Source
from retinaface_tf.errors import InputError

DEFAULT_RATE = 25.0  # frames a second, of what does not tell

log = logging.getLogger(__name__)


class Frame(NamedTuple):
    source: Source
    number: int | None  # from 0; None in an image
    seconds: float | None  # since the video's start
    rate: float  # frames a second
    pixels: NDArray[np.uint8]  # [H, W, 3]


def read_frames(source: Source, max_frames: int | None = None) -> Iterator[Frame]:
    """Frames of a source, of a video or a camera at most so many.

    Raises:
        InputError: it cannot be read.
    """
    if source.kind == "image":
        yield Frame(source, None, None, DEFAULT_RATE, read_image(Path(source.path)))
        return
    video = cv2.VideoCapture(int(source.path) if source.path.isdecimal() else source.path)
    try:
        yield from itertools.islice(_frames_of(video, source), max_frames)
    finally:
        video.release()


def _frames_of(video: Any, source: Source) -> Iterator[Frame]:
    rate = video.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE
    expected = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    count = 0
    while True:
        is_read, image = video.read()
        if not is_read:
            break
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        yield Frame(source, count, count / rate, rate, pixels)
        count += 1
    if not count:
        raise InputError(f"{source.path}: no frame to be had of this {source.kind}")
    if count < expected:
        log.warning("%s: ends after %d of %d frames", source.path, count, expected)


def in_batches(frames: Iterable[Frame], most: int, max_pixels: int) -> Iterator[list[Frame]]:
    """Neighbours of one size, at most so many and so many pixels; a camera's alone, at once."""
    batch: list[Frame] = []
    for frame in frames:
        height, width, _ = frame.pixels.shape
        room = min(most, max(1, max_pixels // (height * width)))
        if batch and batch[0].pixels.shape != frame.pixels.shape:
            yield batch
            batch = []
        batch.append(frame)
        if len(batch) >= room or frame.source.kind == "camera":
            yield batch
            batch = []
    if batch:
        yield batch
