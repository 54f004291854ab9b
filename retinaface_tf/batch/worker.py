"""Detects faces in shards: every engine runs a worker in each of its processes."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from retinaface_tf import cli
from retinaface_tf.batch.images import OpenedImage, open_windows
from retinaface_tf.batch.results import DETECTIONS, describe, write_part
from retinaface_tf.batch.shards import Shard
from retinaface_tf.detections import Detections
from retinaface_tf.errors import InputError
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.runtimes.locate import find_model
from retinaface_tf.runtimes.opening import open_detector
from retinaface_tf.runtimes.threads import thread_limit

# Of images of one size that are processed together. On a CPU, 4 to 16 images of 128 x 128 pixels
# take 15 % less time each than one alone, and 64 take as long.
BATCH_PIXELS = 1 << 18


@dataclass(frozen=True)
class Job:
    """Holds what every worker has to know.

    Attributes:
        model: as for `load_detector`.
        out: folder of the batch, which all workers reach by this path.
        score: faces with lower scores are left out.
    """

    model: str
    out: str
    score: float


class ShardResult(NamedTuple):
    """Tells what became of a shard."""

    images: int  # how many were processed
    error: str | None  # why the batch cannot continue


class Worker:
    """Detects faces in shards, one after the other."""

    def __init__(self, job: Job):
        """Takes a job; the model is opened with the first shard."""
        self.job = job

    def __call__(self, shard: Shard) -> ShardResult:
        """Writes the results of a shard, unless they are there already.

        An error that would stop all other shards, too, is returned, as an engine would retry if it
        were raised.
        """
        out = Path(self.job.out)
        try:
            if not (out / DETECTIONS / shard.part).is_file():
                windows = open_windows(shard.read())
                write_part(out, shard.part, [row for w in windows for row in self._rows(w)])
        except InputError as error:
            return ShardResult(0, str(error))
        except OSError as error:
            return ShardResult(0, f"{error.filename or out}: {error.strerror}")
        return ShardResult(shard.images, None)

    @cached_property
    def _detector(self) -> Detector:
        return open_with_limits(self.job.model)

    def _rows(self, images: list[OpenedImage]) -> list[dict[str, Any]]:
        """Detects faces in all images of a window, processing those of one size together."""
        answers = dict(self._detect(images))
        return [
            describe(image.path, image.size, answers[number]) for number, image in enumerate(images)
        ]

    def _detect(self, images: list[OpenedImage]) -> Iterator[tuple[int, Detections]]:
        """Yields the faces of each image with its number."""

        def size(number: int) -> tuple[int, ...]:
            return images[number].size or ()

        for shape, group in groupby(sorted(range(len(images)), key=size), key=size):
            numbers = list(group)
            if not shape:
                yield from ((number, Detections.none(images[number].error)) for number in numbers)
                continue
            found = self._detector.detect_batch(
                (pixels for number in numbers if (pixels := images[number].pixels) is not None),
                score_threshold=self.job.score,
                batch_size=max(1, BATCH_PIXELS // math.prod(shape)),
            )
            yield from zip(numbers, found, strict=True)


def open_with_limits(model: str) -> Detector:
    """Opens a detector that keeps to the number of threads that the engine allows.

    Args:
        model: as for `load_detector`.

    Raises:
        InputError: as for `load_detector`.
    """
    threads = thread_limit()
    if threads is not None:
        cv2.setNumThreads(threads)
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    if find_model(model).needs_tensorflow:
        cli.start_tensorflow()
    return open_detector(model)
