"""Whether an exported model answers as the detector that it was made of."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from retinaface_tf.config import Config, DetectorConfig
from retinaface_tf.data.decode import decode_image
from retinaface_tf.evaluation.average_precision import GroundTruth, evaluate_predictions
from retinaface_tf.evaluation.predict import Detect, rows
from retinaface_tf.evaluation.voting import overlap
from retinaface_tf.structures import DetectionBatch

# Detects on a file, [1, D, ...] of tensors or arrays.
DetectFile = Callable[[Path], DetectionBatch]
Floats = NDArray[np.float64]

PAIRED = 1.0  # pixels between corners, from which on two boxes are not the same
FAR_PIXEL = np.array([0, 0, 1, 1])


class Tolerance(NamedTuple):
    """What may lie between the two."""

    pixels: float  # of a corner or a landmark
    score: float  # and of an IoU, where that decides whether a box is there


# Sums in another order: the same graph on other kernels; another runtime.
SAME_GRAPH = Tolerance(pixels=1e-2, score=1e-5)
OTHER_RUNTIME = Tolerance(pixels=1e-2, score=1e-4)


class Parity(NamedTuple):
    """How two detectors' answers differ, over all images."""

    images: int
    common: int  # boxes of both
    box: float  # the farthest corner of these, pixels
    landmark: float
    score: float
    edge: int  # boxes of one alone, where rounding decides: at a threshold, or at the limit
    other: int  # boxes of one alone for which that is no excuse
    ap: tuple[dict[str, float], dict[str, float]] | None  # of reference and other, where measured

    def holds(self, tolerance: Tolerance) -> bool:
        """Whether nothing lies beyond the tolerance."""
        pixels = max(self.box, self.landmark)
        return not self.other and pixels <= tolerance.pixels and self.score <= tolerance.score

    def __str__(self) -> str:
        text = (
            f"{self.images} images, {self.common} boxes of both: at most {self.box:.2g} px in "
            f"boxes, {self.landmark:.2g} px in landmarks, {self.score:.2g} in score apart; of one "
            f"alone {self.edge} at a threshold's edge, {self.other} others"
        )
        if self.ap is None:
            return text
        of_source, of_export = (
            " / ".join(f"{value:.4f}" for value in ap.values()) for ap in self.ap
        )
        names = " / ".join(self.ap[0])
        return f"{text}; AP {names} {of_source} of the source, {of_export} of the export"


def on_pixels(detect: Detect) -> DetectFile:
    """The answer of what takes images [1, H, W, 3] and their scale, as a Detector does."""
    return lambda file: detect(decode_image(tf.io.read_file(str(file)))[None], 1.0)


def compare(
    reference: DetectFile,
    other: DetectFile,
    files: Mapping[str, Path],
    config: Config,
    tolerance: Tolerance,
    truth: Mapping[str, GroundTruth] | None = None,
) -> Parity:
    """Lets both answer about images, each at its own size.

    Args:
        reference: `on_pixels(detector)`.
        other: likewise of the exported model, or its answer to the file's bytes.
        files: images by name.
        config: thresholds and limits of both.
        tolerance: of what counts as the same box.
        truth: faces of these images, to measure AP too.
    """
    pairs = {name: (_found(reference(f)), _found(other(f))) for name, f in files.items()}
    parts = [_compare(*pair, config.detector, tolerance) for pair in pairs.values()]
    box, landmark, score = np.max([part.farthest for part in parts], axis=0).tolist()
    common, edge, others = np.sum([part.counts for part in parts], axis=0).tolist()
    ap = None
    if truth is not None:
        ap = (_ap(pairs, 0, truth, config), _ap(pairs, 1, truth, config))
    return Parity(len(parts), common, box, landmark, score, edge, others, ap)


def _ap(
    pairs: Mapping[str, tuple["_Found", "_Found"]],
    side: int,
    truth: Mapping[str, GroundTruth],
    config: Config,
) -> dict[str, float]:
    predictions = {name: pair[side].prediction for name, pair in pairs.items()}
    return evaluate_predictions(predictions, {n: truth[n] for n in pairs}, config.eval.iou)


class _Found(NamedTuple):
    """The detections of one image."""

    boxes: Floats  # [N, 4]
    scores: Floats  # [N]
    landmarks: Floats  # [N, 10]
    prediction: Floats  # [N, 5], as WIDER FACE has it

    def only(self, which: NDArray[Any]) -> "_Found":
        return _Found(*(part[which] for part in self))


class _Apart(NamedTuple):
    """How two answers about one image differ."""

    farthest: tuple[float, float, float]  # corners, landmarks, scores of what is common
    counts: tuple[int, int, int]  # boxes in common; of one alone: at an edge, and others


def _found(detections: DetectionBatch) -> _Found:
    boxes, scores, landmarks, count = (np.asarray(part)[0] for part in detections)
    return _Found(
        boxes[:count].astype(np.float64),
        scores[:count].astype(np.float64),
        landmarks[:count].reshape(-1, 10).astype(np.float64),
        rows(detections),
    )


def _compare(one: _Found, two: _Found, config: DetectorConfig, tolerance: Tolerance) -> _Apart:
    """Pairs the boxes of two answers and looks at what is left over."""
    distance = cdist(one.boxes, two.boxes, "chebyshev")
    first, second = linear_sum_assignment(np.minimum(distance, PAIRED))
    near = distance[first, second] < PAIRED
    first, second = first[near], second[near]
    a, b = one.only(first), two.only(second)
    alone = [
        side.only(np.setdiff1d(np.arange(len(side.scores)), paired))
        for side, paired in ((one, first), (two, second))
    ]
    edge = sum(
        _on_edge(alone[side], alone[1 - side], (one, two)[1 - side], config, tolerance)
        for side in (0, 1)
    )
    return _Apart(
        farthest=(
            _most(a.boxes - b.boxes),
            _most(a.landmarks - b.landmarks),
            _most(a.scores - b.scores),
        ),
        counts=(len(first), edge, sum(len(side.scores) for side in alone) - edge),
    )


def _on_edge(
    alone: _Found, rivals: _Found, others: _Found, config: DetectorConfig, tolerance: Tolerance
) -> int:
    """How many boxes that one answer has alone are so by a hair.

    Args:
        alone: these boxes.
        rivals: those that the other answer has alone.
        others: all of the other answer.
        config: thresholds and limit of both.
        tolerance: what is a hair.
    """
    by_score = np.abs(alone.scores - config.score_threshold) <= tolerance.score
    if config.max_detections is not None and len(others.scores) == config.max_detections:
        by_score |= alone.scores <= others.scores.min() + tolerance.score
    count = 0
    for box, score, known in zip(alone.boxes, alone.scores, by_score, strict=True):
        # NMS counts a box from its first to its last pixel.
        box, boxes = box + FAR_PIXEL, others.boxes + FAR_PIXEL
        hair = 4 * tolerance.pixels / (box[2:] - box[:2]).min() + tolerance.score
        by_iou = (np.abs(overlap(box, boxes) - config.nms_iou) <= hair).any()
        # Of two that overlap the better stays; with equal scores, either.
        meets = overlap(box, rivals.boxes + FAR_PIXEL) > config.nms_iou - hair
        by_rank = (meets & (np.abs(rivals.scores - score) <= tolerance.score)).any()
        count += bool(known or by_iou or by_rank)
    return count


def _most(differences: Floats) -> float:
    return float(np.abs(differences).max(initial=0))
