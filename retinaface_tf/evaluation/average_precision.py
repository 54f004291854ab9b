"""Computes average precision by the WIDER FACE protocol, in NumPy alone.

A detection matches the face that it overlaps most, if that overlap is at least `iou`. At a
threshold, a face is found if a detection that matches it reaches the threshold. A detection that
reaches the threshold is a proposal, unless it matches a face outside the set. These rules give the
figures of the official tool without its walk through sorted detections, whose order cannot matter
here.

Source: `evaluation.m` and `norm_score.m` of WIDER FACE's eval_tools; if those leave a case open,
widerface_evaluate/evaluation.py of biubug6/Pytorch_Retinaface.

Besides the usual shape letters, `F` is faces and `D` detections of all images together.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retinaface_tf.errors import InputError

SETS = ("easy", "medium", "hard")
# For normalised scores: 0.999, 0.998, .. 0, computed as in the official tool, bit for bit.
THRESHOLDS: NDArray[np.float64] = 1 - np.arange(1, 1001) / 1000

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LOG = logging.getLogger(__name__)


class GroundTruth(NamedTuple):
    """Holds the faces of one image and the sets that they belong to."""

    faces: Floats  # [G, 4], x y w h in pixels
    in_set: Mapping[str, Mask]  # set -> [G]; detections that match faces outside it are ignored


class Curve(NamedTuple):
    """Holds precision and recall at each of THRESHOLDS, with 0 for 0/0."""

    precision: Floats  # [1000]
    recall: Floats  # [1000], never decreasing


class Matches(NamedTuple):
    """Pairs each detection in images with faces with the face that it overlaps most."""

    rows: Floats  # [D, 5], x y w h in pixels and score, as predicted
    image: NDArray[np.int64]  # [D], position of the image in the ground truth
    scores: Floats  # [D], normalised
    overlap: Floats  # [D], IoU
    matched: Mask  # [D], whether the overlap is at least the required IoU
    face: NDArray[np.int64]  # [D], position among the F faces; meaningless where overlap is 0
    face_scores: Floats  # [F], highest normalised score that matches the face; -inf if none does


def evaluate_predictions(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, GroundTruth],
    iou: float = 0.5,
) -> dict[str, float]:
    """Computes average precision (0..1) on the sets easy, medium and hard, in this order.

    Examples:
        >>> in_all = {name: np.array([True]) for name in ("easy", "medium", "hard")}
        >>> truth = {"event/photo": GroundTruth(np.array([[10.0, 10, 20, 30]]), in_all)}
        >>> detections = {"event/photo": np.array([[10, 10, 20, 30, 0.9]])}  # x y w h score
        >>> evaluate_predictions(detections, truth)["easy"]
        1.0

    Args:
        predictions: image ("event/name", without extension) -> [N, 5], x y w h in pixels and
            score, in any order. Missing images count as having no detections.
        ground_truth: image -> its faces. Predictions for other images are ignored.
        iou: the smallest overlap at which a detection matches a face.

    Raises:
        InputError: predictions for an image are not finite numbers [N, 5].
    """
    curves = precision_recall(predictions, ground_truth, iou)
    return {name: average_precision(curve) for name, curve in curves.items()}


def precision_recall(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, GroundTruth],
    iou: float = 0.5,
) -> dict[str, Curve]:
    """Computes the curves behind `evaluate_predictions` by set, with its arguments and errors."""
    _warn_about_images(predictions, ground_truth)
    matches = match_detections(predictions, ground_truth, iou)
    curves = {}
    for name in SETS:
        faces = faces_in_set(ground_truth, name)
        if not faces.any():
            _LOG.warning("no face is in the set %s: its AP is 0", name)
        curves[name] = precision_recall_of(matches, faces)
    return curves


def faces_in_set(ground_truth: Mapping[str, GroundTruth], name: str) -> Mask:
    """Tells which faces of all images, [F] in order, belong to a set."""
    return _join((image.in_set[name] for image in ground_truth.values()), bool)


def match_detections(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, GroundTruth],
    iou: float = 0.5,
) -> Matches:
    """Matches detections to faces, with the arguments and errors of `evaluate_predictions`."""
    detections = [_as_rows(key, predictions.get(key, ())) for key in ground_truth]
    faces = [image.faces for image in ground_truth.values()]
    first = np.cumsum([0, *map(len, faces)])
    # The official tool skips images without faces, including their false detections.
    images = [i for i, rows in enumerate(detections) if len(rows) and len(faces[i])]
    nearest = [_nearest(detections[i], faces[i]) for i in images]
    rows = np.concatenate([np.zeros((0, 5)), *(detections[i] for i in images)])
    scores = _normalise(rows[:, 4], _join((each[:, 4] for each in detections), float))
    overlap = _join((overlap for overlap, _ in nearest), float)
    face = _join((first[i] + face for i, (_, face) in zip(images, nearest, strict=True)), int)
    matched = overlap >= iou
    return Matches(
        rows=rows,
        image=np.repeat(np.array(images, np.int64), [len(detections[i]) for i in images]),
        scores=scores,
        overlap=overlap,
        matched=matched,
        face=face,
        face_scores=_highest_scores(face[matched], scores[matched], first[-1]),
    )


def precision_recall_of(matches: Matches, faces: Mask, detections: Mask | None = None) -> Curve:
    """Computes precision and recall on any part of the faces.

    Args:
        matches: of all images.
        faces: [F], the part; detections that match other faces are ignored.
        detections: [D], those that may be proposals; by default all.
    """
    proposes = ~matches.matched | faces[matches.face]
    if detections is not None:
        proposes &= detections
    proposals = _count_reaching(matches.scores[proposes])
    hits = _count_reaching(matches.face_scores[faces])
    return Curve(hits / np.maximum(proposals, 1), hits / max(int(faces.sum()), 1))


def average_precision(curve: Curve) -> float:
    """Integrates the envelope of precision over recall, as PASCAL VOC 2010 does."""
    return float(areas_under(curve.precision[None], curve.recall[None])[0])


def areas_under(precision: Floats, recall: Floats) -> Floats:
    """Integrates the envelopes of many curves, precision [N, T] over recall [N, T]: [N]."""
    recall = np.pad(np.pad(recall, ((0, 0), (1, 0))), ((0, 0), (0, 1)), constant_values=1)
    precision = np.pad(precision, ((0, 0), (0, 1)))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    areas: Floats = np.sum(np.diff(recall, axis=1) * envelope, axis=1)
    return areas


def _overlap(detections: Floats, faces: Floats) -> Floats:
    """Computes IoU [N, G] of boxes [N, 4] and [G, 4], x y w h, in WIDER FACE's inclusive pixels.

    x + w is the last pixel of a box, so that a box of width 0 is one pixel wide. Boxes of negative
    size, which occur in the labels, overlap nothing.
    """
    a, b = detections[:, None], faces[None]
    corner = np.maximum(a[..., :2], b[..., :2])
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - corner + 1
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    union = np.prod(a[..., 2:] + 1, axis=-1) + np.prod(b[..., 2:] + 1, axis=-1) - shared
    overlap: Floats = np.zeros_like(shared)
    # Boxes of negative size may have a union of 0 or less, but no intersection.
    np.divide(shared, union, out=overlap, where=shared > 0)
    return overlap


def _count_reaching(scores: Floats) -> NDArray[np.int64]:
    """Counts the scores that reach each of THRESHOLDS: int64 [1000]."""
    return len(scores) - np.searchsorted(np.sort(scores), THRESHOLDS, side="left")


def _nearest(detections: Floats, faces: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Finds the largest overlap of each detection [N, 5] with faces [G, 4], and the first face."""
    overlap = _overlap(detections[:, :4], faces)
    return overlap.max(axis=1), overlap.argmax(axis=1)


def _normalise(scores: Floats, everything: Floats) -> Floats:
    """Maps the range of scores in all images to 0..1.

    As in biubug6's evaluation.py, the search for the minimum starts at 1, for the maximum at 0.
    """
    low, high = everything.min(initial=1.0), everything.max(initial=0.0)
    return (scores - low) / (high - low) if high > low else np.ones(len(scores))


def _highest_scores(face: NDArray[np.int64], scores: Floats, count: int) -> Floats:
    """Finds the highest score of each of `count` faces; -inf for a face without a score."""
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, face, scores)
    return highest


def _as_rows(key: str, detections: ArrayLike) -> Floats:
    rows = np.asarray(detections, np.float64)
    if rows.size == 0:
        return np.zeros((0, 5))
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise InputError(f"{key}: expected detections [N, 5], x y w h score, found {rows.shape}")
    if not np.isfinite(rows).all():
        raise InputError(f"{key}: expected finite x y w h score, found NaN or infinity")
    return rows


def _join(parts: Iterable[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Concatenates the parts of all images; there may be none."""
    return np.concatenate([np.zeros(0, dtype), *parts])


def _warn_about_images(
    predictions: Mapping[str, ArrayLike], ground_truth: Mapping[str, GroundTruth]
) -> None:
    missing = [key for key in ground_truth if key not in predictions]
    if missing:
        message = "%d of %d images have no predictions and count as having no detections, as %s"
        _LOG.warning(message, len(missing), len(ground_truth), missing[0])
    unknown = [key for key in predictions if key not in ground_truth]
    if unknown:
        message = "%d images with predictions are not in the ground truth and are left out, as %s"
        _LOG.warning(message, len(unknown), unknown[0])
