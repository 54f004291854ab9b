"""Defines what every detector offers, in whatever runtime; imports no TensorFlow."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.config import Config, DetectorConfig
from retinaface_tf.data.image_input import ImageInput, as_rgb
from retinaface_tf.data.video.reading import read_video
from retinaface_tf.detections import DEFAULT_SCORE, Detections
from retinaface_tf.errors import InputError
from retinaface_tf.geometry.passes import Plan, plan_passes
from retinaface_tf.runtimes.all_sizes import detect_all_sizes
from retinaface_tf.structures import Array, DetectionBatch

DEFAULT_BATCH = 8

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DetectedFrame:
    """Holds a frame of a video and its faces.

    Examples:
        >>> frame = DetectedFrame(0.04, np.zeros((480, 640, 3), np.uint8), Detections.none())
        >>> frame.detections.draw(frame.pixels).shape
        (480, 640, 3)
    """

    seconds: float  # since the start of the video
    pixels: Pixels  # RGB [H, W, 3]
    detections: Detections


class Detector(Protocol):
    """Detects faces in RGB images; `load_detector` opens one.

    Networks with weights, SavedModels, ONNX and LiteRT models are all used in the same way. Several
    threads may share a detector.

    Examples:
        >>> def count_faces(detector: Detector, folder: Path) -> int:
        ...     return sum(len(faces) for faces in detector.detect_batch(folder.glob("*.jpg")))
        >>> count_faces(load_detector("runs/mine"), Path("photos")) > 0
        True

    Attributes:
        config: settings of the network and its thresholds.
        source: path of the weights or the exported model.
        at_once: whether several passes over an image take less time if made at the same time.
    """

    config: Config
    source: str
    at_once: ClassVar[bool] = False

    def __call__(
        self,
        images: Array,
        scale: float | Array = 1.0,
        *,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
    ) -> DetectionBatch:
        """Detects faces in a batch of RGB images of one size, in one pass at that size.

        Args:
            images: uint8 [B, H, W, 3], RGB, upright.
            scale: pixels of `images` per pixel of the original images, to which the answer refers;
                or factors for x and y, [2] or, for each image, [B, 2].
            score_threshold: instead of `config.detector.score_threshold`.
            nms_iou: instead of `config.detector.nms_iou`.

        Raises:
            InputError: the images are larger than a SavedModel was exported for.
        """
        ...

    def detect(
        self,
        image: ImageInput,
        *,
        score_threshold: float = DEFAULT_SCORE,
        nms_iou: float | None = None,
    ) -> Detections:
        """Detects faces of every size in an RGB image, in as many passes as needed.

        Args:
            image: the path of an image file; an array uint8 of shape [H, W, 3] (RGB, not OpenCV's
                BGR), [H, W, 4] (RGBA, whose transparency is dropped), [H, W] or [H, W, 1] (grey);
                or a Pillow picture in any mode, turned upright by its EXIF orientation.
            score_threshold: faces with lower scores are left out, as are those below
                `config.detector.score_threshold`.
            nms_iou: instead of `config.detector.nms_iou`.

        Raises:
            InputError: the image is a broken file, has no pixels, or is an array of another type
                or shape; or as for a call.
            TypeError: the image is none of these.
        """
        return self.detect_together(as_rgb(image)[None], nms_iou)[0].above(score_threshold)

    def detect_batch(
        self,
        images: Iterable[ImageInput],
        *,
        score_threshold: float = DEFAULT_SCORE,
        nms_iou: float | None = None,
        batch_size: int = DEFAULT_BATCH,
    ) -> Iterator[Detections]:
        """Detects faces in RGB images of any sizes, reading as few images ahead as possible.

        Consecutive images of the same size are processed together, up to `batch_size` images and
        `config.detector.max_pixels`. The answers equal those of `detect` up to rounding.

        Args:
            images: as for `detect`.
            score_threshold: as for `detect`.
            nms_iou: as for `detect`.
            batch_size: the largest number of images to process together.

        Yields:
            Detections for each image, in order. If `detect` would raise InputError, there are no
            faces, and `error` is the message.
        """
        opened = (_open(image) for image in images)
        for shape, same in itertools.groupby(opened, key=lambda image: getattr(image, "shape", ())):
            room = self.config.detector.max_pixels // max(1, math.prod(shape[:2]))
            size = max(1, min(batch_size, room))
            while group := list(itertools.islice(same, size)):
                yield from _detect_group(self, group, score_threshold, nms_iou)

    def detect_video(
        self,
        source: str | int,
        *,
        score_threshold: float = DEFAULT_SCORE,
        nms_iou: float | None = None,
    ) -> Iterator[DetectedFrame]:
        """Detects faces in each frame of a video, a camera or a stream.

        Args:
            source: the path of a video, the number or the device of a camera, or the address of a
                stream, such as `http://camera/video.mjpg`.
            score_threshold: as for `detect`.
            nms_iou: as for `detect`.

        Raises:
            InputError: no frame can be read, or a stream broke off for good.
        """
        for frame in read_video(str(source)):
            found = self.detect(frame.pixels, score_threshold=score_threshold, nms_iou=nms_iou)
            yield DetectedFrame(frame.seconds, frame.pixels, found)

    def detect_together(self, images: Pixels, nms_iou: float | None = None) -> list[Detections]:
        """Detects faces of every size in RGB images of one size, with the config's score threshold.

        A call of the detector makes one pass over the images; this method makes the passes that
        `geometry.passes` plans, and merges them.

        Args:
            images: uint8 [B, H, W, 3], RGB, upright.
            nms_iou: instead of `config.detector.nms_iou`.

        Raises:
            InputError: as for a call.
        """

        def one_pass(images: Pixels) -> list[Detections]:
            return Detections.of_batch(self(images, nms_iou=nms_iou))

        plan = self.plan_passes(*images.shape[1:3])
        limits = with_thresholds(self.config.detector, None, nms_iou)
        return detect_all_sizes(one_pass, images, plan, self.config, limits, at_once=self.at_once)

    def plan_passes(self, height: int, width: int) -> Plan:
        """Plans the passes that `detect` makes over an image of this size in pixels."""
        return plan_passes(height, width, self.config)


def with_thresholds(
    limits: DetectorConfig, score_threshold: float | None, nms_iou: float | None
) -> DetectorConfig:
    """Replaces those thresholds of a config that are given."""
    return replace(
        limits,
        score_threshold=limits.score_threshold if score_threshold is None else score_threshold,
        nms_iou=limits.nms_iou if nms_iou is None else nms_iou,
    )


def _open(image: ImageInput) -> Pixels | InputError:
    try:
        return as_rgb(image)
    except InputError as error:
        return error


def _detect_group(
    detector: Detector,
    images: list[Pixels | InputError],
    score_threshold: float,
    nms_iou: float | None,
) -> list[Detections]:
    """Detects faces in images of one size; refused images get the reason as their error."""
    pixels = [image for image in images if not isinstance(image, InputError)]
    if len(pixels) < len(images):
        return [Detections.none(str(error)) for error in images]
    try:
        found = detector.detect_together(np.stack(pixels), nms_iou)
    except InputError as error:
        return [Detections.none(str(error)) for _ in images]
    return [faces.above(score_threshold) for faces in found]
