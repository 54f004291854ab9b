"""Answers requests with the detector that evaluation runs, behind a SavedModel's signatures."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import STRIDES
from retinaface_tf.data.scaling import letterbox
from retinaface_tf.errors import ImageError
from retinaface_tf.model.all_sizes import AllSizesDetector
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.tiling import TiledDetector
from retinaface_tf.serving.images import Bounds, open_within
from retinaface_tf.structures import DetectionBatch

SIGNATURES = ("serving_default", "detect_bytes", "detect_images", "detect_resized")

_BYTES = tf.TensorSpec([None], tf.string, name="image_bytes")
_IMAGES = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
_THRESHOLDS = (
    tf.TensorSpec(None, tf.float32, name="score_threshold"),
    tf.TensorSpec(None, tf.float32, name="nms_iou"),
)


class Answer(NamedTuple):
    """Holds the detections of a batch, and an error code for each image."""

    boxes: tf.Tensor  # float32 [B, D, 4]
    scores: tf.Tensor  # float32 [B, D]
    landmarks: tf.Tensor  # float32 [B, D, 5, 2]
    num_detections: tf.Tensor  # int32 [B]
    error: tf.Tensor  # int32 [B], an ImageError; an image with an error has no detections


class Thresholds(NamedTuple):
    """Holds the thresholds for all images [1], or for each image [B]."""

    score_threshold: tf.Tensor  # float32
    nms_iou: tf.Tensor  # float32


Detect = Callable[[tf.Tensor, Thresholds], Answer]
Signature = Callable[..., dict[str, tf.Tensor]]


class Service(tf.Module):
    """Detects faces in whatever is sent, through four signatures.

    Each returns `boxes` float32 [B, D, 4], `scores` float32 [B, D], `landmarks` float32
    [B, D, 5, 2] and `num_detections` int32 [B], in pixels of the image as sent, turned upright, and
    `error` int32 [B], an ImageError: an image with an error has no detections, and does not affect
    the others. All but `detect_bytes` also take `score_threshold` and `nms_iou`, float32, one for
    all images or one for each; the config's values are their defaults.

    `serving_default` takes encoded images of any sizes, and finds faces of every size in each, in
    as many passes as needed.
    `detect_bytes` does the same with a single input, for REST, whose JSON has to name all inputs.
    `detect_images` takes RGB images uint8 [B, H, W, 3], upright, and makes one pass over them.
    `detect_resized` takes encoded images, and processes all together, each in a square of
    `export.resized_side` pixels.
    """

    def __init__(self, detector: GraphDetector):
        """Builds the signatures.

        Args:
            detector: with limits on candidates and detections.
        """
        super().__init__(name="service")
        self.detector = detector
        config = detector.config
        min_side, export = min(STRIDES), config.export
        self._max_pixels = config.detector.max_pixels
        self._bounds = Bounds(min_side, export.max_side, export.max_pixels)
        self._tiled = TiledDetector(detector)
        self._all_sizes = AllSizesDetector(self._tiled)
        # Arrays of one, as a server that batches requests takes no scalars.
        score = tf.constant([config.detector.score_threshold])
        iou = tf.constant([config.detector.nms_iou])
        self.serving_default = _bytes_signature(self._detect_each, score, iou)
        self.detect_bytes = tf.function(
            lambda image_bytes: self.serving_default(image_bytes, score, iou),
            autograph=False,
            input_signature=[_BYTES],
        )
        self.detect_images = _images_signature(self._detect_images, score, iou)
        self.detect_resized = _bytes_signature(self._detect_resized, score, iou)

    def _detect_each(self, image_bytes: tf.Tensor, thresholds: Thresholds) -> Answer:
        def one_image(data: tf.Tensor, thresholds: Thresholds) -> Answer:
            image, error = open_within(self._bounds, data)
            return self._answer(lambda: self._all_sizes(image, *thresholds), error[None])

        return self._one_by_one(one_image, image_bytes, thresholds)

    def _detect_images(self, images: tf.Tensor, thresholds: Thresholds) -> Answer:
        shape = tf.shape(images, tf.int64)
        error = self._bounds.check(shape[1:3])

        def together() -> Answer:
            return self._detect(images, tf.repeat(error, shape[0]), thresholds)

        def one_image(image: tf.Tensor, thresholds: Thresholds) -> Answer:
            return self._answer(lambda: self._tiled.detect_image(image, *thresholds), error[None])

        return tf.cond(
            tf.reduce_prod(shape[:3]) <= self._max_pixels,
            together,
            lambda: self._one_by_one(one_image, images, thresholds),
        )

    def _detect_resized(self, image_bytes: tf.Tensor, thresholds: Thresholds) -> Answer:
        side = self.detector.config.export.resized_side

        def one_image(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            image, error = open_within(self._bounds, data)
            # An image with an error becomes a single pixel, so that the batch stays complete.
            image = tf.cond(
                tf.size(image) > 0, lambda: image, lambda: tf.zeros([1, 1, 3], tf.uint8)
            )
            return *letterbox(image, side), error

        squares, scales, errors = tf.map_fn(
            one_image,
            image_bytes,
            fn_output_signature=(
                tf.TensorSpec([side, side, 3], tf.uint8),
                tf.TensorSpec([2], tf.float32),
                tf.TensorSpec([], tf.int32),
            ),
            parallel_iterations=1,
        )
        return self._in_parts(squares, scales, errors, thresholds)

    def _in_parts(
        self, squares: tf.Tensor, scales: tf.Tensor, errors: tf.Tensor, thresholds: Thresholds
    ) -> Answer:
        """Detects faces in squares [B, S, S, 3], at most `detector.max_pixels` pixels at once."""
        count, limit = tf.size(errors), max(1, self._max_pixels // squares.shape[1] ** 2)
        parts = tf.maximum(-(-count // limit), 1)
        size = -(-count // parts)
        # All parts have the same size; the last square is repeated to fill the last part.
        places = tf.reshape(tf.minimum(tf.range(parts * size), count - 1), [parts, size])

        per_image = (squares, errors, *_per_image(thresholds, count), scales)

        def one_part(places: tf.Tensor) -> Answer:
            images, error, score, iou, scale = (tf.gather(rows, places) for rows in per_image)
            return self._detect(images, error, Thresholds(score, iou), scale)

        answers = tf.map_fn(
            one_part,
            places,
            fn_output_signature=self._specs(None),
            parallel_iterations=1,
        )
        return Answer(*(tf.reshape(rows, [-1, *rows.shape[2:]])[:count] for rows in answers))

    def _one_by_one(
        self,
        detect: Callable[[tf.Tensor, Thresholds], Answer],
        images: tf.Tensor,
        thresholds: Thresholds,
    ) -> Answer:
        """Detects faces in one image after the other, and returns the answers as one batch.

        The network uses all cores for each image, and needs the memory of a single image.
        """
        answers = tf.map_fn(
            lambda image: detect(*image),
            (images, _per_image(thresholds, tf.shape(images)[0])),
            fn_output_signature=self._specs(1),
            parallel_iterations=1,
        )
        return Answer(*(rows[:, 0] for rows in answers))

    def _detect(
        self,
        images: tf.Tensor,
        errors: tf.Tensor,
        thresholds: Thresholds,
        scale: tf.Tensor | float = 1.0,
    ) -> Answer:
        """Detects faces in images [B, H, W, 3] together, in one pass."""
        return self._answer(lambda: self.detector(images, scale, **thresholds._asdict()), errors)

    def _answer(self, detect: Callable[[], DetectionBatch], errors: tf.Tensor) -> Answer:
        """Detects faces unless all images have an error [B]; images with an error get none."""
        intact = errors == int(ImageError.NONE)
        specs = self._specs(None)

        def nothing() -> DetectionBatch:
            count = tf.size(errors)
            return DetectionBatch(*(tf.zeros([count, *s.shape[1:]], s.dtype) for s in specs[:-1]))

        def select(rows: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
            mask = tf.reshape(intact, [-1] + [1] * (len(spec.shape) - 1))
            return tf.ensure_shape(tf.where(mask, rows, tf.zeros_like(rows)), spec.shape)

        found = tf.cond(tf.reduce_any(intact), detect, nothing)
        boxes, scores, landmarks, counts = map(select, found, specs)
        return Answer(boxes, scores, landmarks, counts, errors)

    def _specs(self, batch: int | None) -> Answer:
        """Returns the shapes and dtypes of an answer."""
        room = self.detector.config.detector.max_detections
        return Answer(
            boxes=tf.TensorSpec([batch, room, 4], tf.float32),
            scores=tf.TensorSpec([batch, room], tf.float32),
            landmarks=tf.TensorSpec([batch, room, 5, 2], tf.float32),
            num_detections=tf.TensorSpec([batch], tf.int32),
            error=tf.TensorSpec([batch], tf.int32),
        )


def _per_image(thresholds: Thresholds, count: tf.Tensor) -> Thresholds:
    """Repeats thresholds given once for each of `count` images."""
    return Thresholds(*(tf.broadcast_to(value, [count]) for value in thresholds))


# A signature takes its defaults from the function's arguments, which are named as the inputs.


def _bytes_signature(detect: Detect, score: tf.Tensor, iou: tf.Tensor) -> Signature:
    @tf.function(autograph=False, input_signature=[_BYTES, *_THRESHOLDS])
    def signature(
        image_bytes: tf.Tensor, score_threshold: tf.Tensor = score, nms_iou: tf.Tensor = iou
    ) -> dict[str, tf.Tensor]:
        return detect(image_bytes, Thresholds(score_threshold, nms_iou))._asdict()

    return signature


def _images_signature(detect: Detect, score: tf.Tensor, iou: tf.Tensor) -> Signature:
    @tf.function(autograph=False, input_signature=[_IMAGES, *_THRESHOLDS])
    def signature(
        images: tf.Tensor, score_threshold: tf.Tensor = score, nms_iou: tf.Tensor = iou
    ) -> dict[str, tf.Tensor]:
        return detect(images, Thresholds(score_threshold, nms_iou))._asdict()

    return signature
