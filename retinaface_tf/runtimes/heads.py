"""Decodes heads and suppresses overlaps in NumPy, for runtimes whose models end in heads.

`geometry` and `model.detector` do the same in TensorFlow. This module handles one image of a fixed
size. It depends on little else, so that it can be copied to a device or ported to another language.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.config import STRIDES, AnchorConfig, DetectorConfig
from retinaface_tf.detections import Detections
from retinaface_tf.structures import DetectionBatch, Predictions

Floats = NDArray[np.float32]


def anchors_of_square(side: int, config: AnchorConfig) -> Floats:
    """Makes the anchors of a square image, ordered by level, row, column, size.

    Args:
        side: of the image, in pixels.
        config: sizes of the anchors.

    Returns:
        `cx cy w h` [A, 4] in fractions of the image.
    """
    levels = []
    for stride, sizes in zip(STRIDES, config.sizes, strict=True):
        centres = (np.arange(math.ceil(side / stride)) + 0.5) * stride / side
        cy, cx, extent = np.meshgrid(centres, centres, np.array(sizes) / side, indexing="ij")
        levels.append(np.stack([cx, cy, extent, extent], axis=-1).reshape(-1, 4))
    anchors = np.concatenate(levels).astype(np.float32)
    return np.clip(anchors, 0, 1) if config.clip else anchors


def detect_faces(
    heads: Predictions,
    anchors: Floats,
    variances: tuple[float, float],
    pixels: Floats,
    config: DetectorConfig,
) -> Detections:
    """Decodes the heads of one square image and suppresses overlapping boxes.

    Args:
        heads: boxes [A, 4], logits [A, 2] (background, face) and landmarks [A, 5, 2].
        anchors: [A, 4].
        variances: `anchors.variances`, the factors of encoded centres and sizes.
        pixels: width and height of the square [2], in the pixels that the answer and NMS use.
        config: thresholds and limits.

    Returns:
        The faces, best first, in the same pixels.
    """
    scores = np.exp(-np.logaddexp(0, heads.logits[:, 0] - heads.logits[:, 1]))  # softmax
    best = np.argsort(-scores, kind="stable")[: np.sum(scores > config.score_threshold)]
    best = best[: config.top_k]
    scores, anchors = scores[best], anchors[best]
    boxes = _decode_boxes(heads.boxes[best], anchors, variances) * np.tile(pixels, 2)
    landmarks = _decode_points(heads.landmarks[best], anchors, variances) * pixels
    kept = suppress(boxes, scores, config)[: config.max_detections]
    return Detections(boxes[kept], scores[kept], landmarks[kept])


def suppress(boxes: Floats, scores: Floats, config: DetectorConfig) -> NDArray[np.int32]:
    """Suppresses boxes that overlap a better one, as `geometry.nms` does.

    Args:
        boxes: `x1 y1 x2 y2` [N, 4] in pixels.
        scores: [N].
        config: `nms_iou`, and `score_threshold`, which scores have to exceed.

    Returns:
        Positions of the kept boxes, best first.
    """
    # x y w h; a box includes its first and last pixel.
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    rows = np.concatenate([boxes[:, :2], sizes], axis=1)
    kept = cv2.dnn.NMSBoxes(rows.tolist(), scores.tolist(), config.score_threshold, config.nms_iou)
    return np.asarray(kept, np.int32).reshape(-1)


def empty_batch(batch: int, max_detections: int) -> DetectionBatch:
    """Returns a batch without detections: zeros [B, D, ...], to be filled."""
    return DetectionBatch(
        boxes=np.zeros([batch, max_detections, 4], np.float32),
        scores=np.zeros([batch, max_detections], np.float32),
        landmarks=np.zeros([batch, max_detections, 5, 2], np.float32),
        num_detections=np.zeros([batch], np.int32),
    )


def _decode_boxes(encoded: Floats, anchors: Floats, variances: tuple[float, float]) -> Floats:
    """Decodes boxes to `x1 y1 x2 y2` [N, 4] in fractions of the image."""
    centre = anchors[:, :2] + encoded[:, :2] * np.float32(variances[0]) * anchors[:, 2:]
    size = anchors[:, 2:] * np.exp(encoded[:, 2:] * np.float32(variances[1]))
    near = centre - size / 2
    return np.concatenate([near, near + size], axis=1)


def _decode_points(encoded: Floats, anchors: Floats, variances: tuple[float, float]) -> Floats:
    """Decodes landmarks to x y [N, 5, 2] in fractions of the image."""
    centre, size = anchors[:, None, :2], anchors[:, None, 2:]
    return centre + encoded * np.float32(variances[0]) * size
