"""Defines what video readers yield, and makes the times of frames increase."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DEFAULT_RATE = 25.0  # frames per second, if a video does not say
RESTART = 1.0  # seconds back, from which on a container's clock has begun anew

Pixels = NDArray[np.uint8]


class VideoFrame(NamedTuple):
    """Holds one frame of a video, a camera or a stream."""

    number: int  # from 0
    seconds: float  # since the first frame
    rate: float  # frames per second, on average
    pixels: Pixels  # RGB [H, W, 3], upright


class TimedImage(NamedTuple):
    """Holds an image as a library reads it."""

    seconds: float | None  # on the container's clock; None if the container does not say
    pixels: Pixels  # RGB [H, W, 3], upright


@dataclass
class Damage:
    """Counts damaged frames of a video, as it is read."""

    lost: int = 0  # frames that cannot be decoded
    faulty: int = 0  # frames that are decoded with faults


class OpenVideo(NamedTuple):
    """Holds an open video of any library."""

    rate: float  # frames per second, on average
    length: int  # frames that the video claims to have; 0 if it does not say
    is_counted: bool  # whether the length is exact, not estimated from the duration
    is_live: bool  # whether it has no end, so that frames are timed as they arrive
    images: Iterator[TimedImage]
    damage: Damage  # of the images read so far


class Clock:
    """Counts seconds since the first frame, which increase even if the container's do not."""

    def __init__(self, rate: float):
        """Begins before the first frame of a video with `rate` frames per second on average."""
        self._step = 1 / rate
        self._first = 0.0
        self._last: float | None = None

    def count(self, seconds: float | None) -> float:
        """Returns the seconds since the first frame.

        Args:
            seconds: of the frame on the container's clock; None if the container does not say.
        """
        if self._last is None:
            self._first, self._last = seconds or 0.0, 0.0
            return 0.0
        after = self._last + self._step
        if seconds is not None:
            lag = self._last - (seconds - self._first)
            if lag < 0:
                after = seconds - self._first
            elif lag < RESTART:  # out of order, as after damage: the next frames catch up
                after = self._last + self._step / 4
        self._last = after
        return after
