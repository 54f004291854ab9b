"""Replaces the detector's NMS kernel with TensorFlow's others, one by one.

V2 to V4 have GPU implementations. The detector's kernel, which is the fastest on a CPU, has none,
so that a GPU sends the candidates to the host. V2 lacks the score threshold.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import tensorflow as tf

from retinaface_tf.geometry import nms
from retinaface_tf.model import detector

Replace = Callable[[], AbstractContextManager[object]]


def _by_v3(image: tuple[Any, ...], limit: Any) -> tuple[Any, Any]:
    boxes, scores, score_threshold, iou_threshold = image
    indices = tf.raw_ops.NonMaxSuppressionV3(
        boxes=boxes,
        scores=scores,
        max_output_size=limit,
        iou_threshold=iou_threshold,
        score_threshold=score_threshold,
    )
    count = tf.size(indices)
    return tf.pad(indices, [[0, limit - count]]), count


def _by_v4(image: tuple[Any, ...], limit: Any) -> tuple[Any, Any]:
    boxes, scores, score_threshold, iou_threshold = image
    indices, count = tf.raw_ops.NonMaxSuppressionV4(
        boxes=boxes,
        scores=scores,
        max_output_size=limit,
        iou_threshold=iou_threshold,
        score_threshold=score_threshold,
        pad_to_max_output_size=True,
    )
    return indices, count


def _by_v5(image: tuple[Any, ...], limit: Any) -> tuple[Any, Any]:
    boxes, scores, score_threshold, iou_threshold = image
    indices, _, count = tf.raw_ops.NonMaxSuppressionV5(
        boxes=boxes,
        scores=scores,
        max_output_size=limit,
        iou_threshold=iou_threshold,
        score_threshold=score_threshold,
        soft_nms_sigma=0.0,
        pad_to_max_output_size=True,
    )
    return indices, count


def _whole_batch(
    boxes: Any, scores: Any, score_threshold: Any, iou_threshold: Any, max_detections: int
) -> nms.Kept:
    """Suppresses all images at once with TensorFlow's batched operation and one threshold."""
    return nms.Kept(
        *tf.image.non_max_suppression_padded(
            tf.add(boxes, [0.0, 0.0, 1.0, 1.0]),
            scores,
            max_detections,
            iou_threshold[0],
            score_threshold[0],
            pad_to_max_output_size=True,
            sorted_input=True,
            canonicalized_coordinates=True,
        )
    )


def _instead(kernel: Callable[..., Any]) -> Replace:
    return lambda: patch.object(nms, "_suppress_image", kernel)


# A detector that is traced inside the block uses the kernel.
KERNELS: Mapping[str, Replace] = MappingProxyType(
    {
        "CombinedNonMaxSuppression": nullcontext,
        "NonMaxSuppressionV3": _instead(_by_v3),
        "NonMaxSuppressionV4": _instead(_by_v4),
        "NonMaxSuppressionV5": _instead(_by_v5),
        "non_max_suppression_padded": lambda: patch.object(detector, "suppress", _whole_batch),
    }
)
