"""Average precision by the protocol of WIDER FACE, in NumPy alone (REFERENCE 8.4, 8.5).

A face is matched by every detection that overlaps it at `iou` or more and overlaps no other face
more. At a threshold a face is found when the best of its detections reaches it; a detection that
reaches it is a proposal, unless the face that it matches does not count in the set. Said in this
way, the rules of the official tool need no walk through sorted detections, and the order in which
detections come cannot matter.

Shape letters beside the usual: `F` faces and `D` detections of all images together.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retinaface_tf.errors import InputError

SETS = ("easy", "medium", "hard")
# Of normalised scores: 0.999, 0.998, .. 0. As the official tool computes them, bit for bit.
THRESHOLDS: NDArray[np.float64] = 1 - np.arange(1, 1001) / 1000

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LOG = logging.getLogger(__name__)


class GroundTruth(NamedTuple):
    """The faces of one image, and which of them count."""

    faces: Floats  # [G, 4], x y w h in pixels
    counted: Mapping[str, Mask]  # set -> [G]; detections of the other faces are ignored


class Curve(NamedTuple):
    """Precision and recall of one set at each of THRESHOLDS; 0 where they would be 0/0."""

    precision: Floats  # [1000]
    recall: Floats  # [1000], never decreasing


class Matches(NamedTuple):
    """Detections of all images that have faces, each beside the face it overlaps most."""

    rows: Floats  # [D, 5], x y w h in pixels and score, as predicted
    image: NDArray[np.int64]  # [D], position of the image in the ground truth
    scores: Floats  # [D], normalised
    overlap: Floats  # [D], IoU
    matched: Mask  # [D], whether the overlap suffices
    face: NDArray[np.int64]  # [D], position among the F faces; of no meaning where overlap is 0
    best: Floats  # [F], best score of the detections that match the face; -inf where none does


def evaluate_predictions(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, GroundTruth],
    iou: float = 0.5,
) -> dict[str, float]:
    """Average precision (0..1) of the sets easy, medium and hard, in this order.

    Args:
        predictions: image ("event/name", without extension) -> [N, 5], x y w h in pixels and
            score, in any order. Images that are missing count as having no detections.
        ground_truth: image -> its faces. Predictions of other images are left out.
        iou: the least overlap at which a detection matches a face.

    Raises:
        InputError: predictions of an image that are not finite numbers [N, 5].
    """
    curves = precision_recall(predictions, ground_truth, iou)
    return {name: average_precision(curve) for name, curve in curves.items()}


def precision_recall(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, GroundTruth],
    iou: float = 0.5,
) -> dict[str, Curve]:
    """The curves behind `evaluate_predictions`, by set; same arguments and errors."""
    _warn_about_images(predictions, ground_truth)
    matches = match(predictions, ground_truth, iou)
    curves = {}
    for name in SETS:
        counted = counted_faces(ground_truth, name)
        if not counted.any():
            _LOG.warning("no face counts in the set %s: its AP is 0", name)
        curves[name] = precision_recall_of(matches, counted)
    return curves


def counted_faces(ground_truth: Mapping[str, GroundTruth], name: str) -> Mask:
    """Which of the faces of all images, [F] in their order, count in a set."""
    return _join((image.counted[name] for image in ground_truth.values()), bool)


def match(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, GroundTruth],
    iou: float = 0.5,
) -> Matches:
    """Matches detections with faces; arguments and errors are those of `evaluate_predictions`."""
    detections = [_as_rows(key, predictions.get(key, ())) for key in ground_truth]
    faces = [image.faces for image in ground_truth.values()]
    first = np.cumsum([0, *map(len, faces)])
    # Without any face even false detections go uncounted: REFERENCE 8.4.5.
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
        best=_best(face[matched], scores[matched], first[-1]),
    )


def precision_recall_of(matches: Matches, counted: Mask, regarded: Mask | None = None) -> Curve:
    """Precision and recall where other faces count than in a set.

    Args:
        matches: of all images.
        counted: [F], the faces that count; detections that match others are ignored.
        regarded: [D], the detections that may be false or match at all; all, unless given.
    """
    proposes = ~matches.matched | counted[matches.face]
    if regarded is not None:
        proposes &= regarded
    proposals = _count_reaching(matches.scores[proposes])
    hits = _count_reaching(matches.best[counted])
    return Curve(hits / np.maximum(proposals, 1), hits / max(int(counted.sum()), 1))


def average_precision(curve: Curve) -> float:
    """Area under the envelope of precision over recall, as VOC 2010 takes it (REFERENCE 8.4.6)."""
    return float(areas_under(curve.precision[None], curve.recall[None])[0])


def areas_under(precision: Floats, recall: Floats) -> Floats:
    """The same of many curves: [N, T] and [N, T] to [N]."""
    recall = np.pad(np.pad(recall, ((0, 0), (1, 0))), ((0, 0), (0, 1)), constant_values=1)
    precision = np.pad(precision, ((0, 0), (0, 1)))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    areas: Floats = np.sum(np.diff(recall, axis=1) * envelope, axis=1)
    return areas


def _overlap(detections: Floats, faces: Floats) -> Floats:
    """Overlap [N, G] of boxes [N, 4] and [G, 4], x y w h, in WIDER FACE's inclusive pixels.

    x + w is the last pixel that belongs to a box, so that a box of width 0 is one pixel wide.
    Boxes of negative size, which the labels have, overlap nothing.
    """
    a, b = detections[:, None], faces[None]
    corner = np.maximum(a[..., :2], b[..., :2])
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - corner + 1
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    union = np.prod(a[..., 2:] + 1, axis=-1) + np.prod(b[..., 2:] + 1, axis=-1) - shared
    overlap: Floats = np.zeros_like(shared)
    # Boxes of negative size may have a union of 0 or less, but they share nothing.
    np.divide(shared, union, out=overlap, where=shared > 0)
    return overlap


def _count_reaching(scores: Floats) -> NDArray[np.int64]:
    """How many scores are at least each of THRESHOLDS: int64 [1000]."""
    return len(scores) - np.searchsorted(np.sort(scores), THRESHOLDS, side="left")


def _nearest(detections: Floats, faces: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The greatest overlap of each detection [N, 5] with a face [G, 4], and the first such face."""
    overlap = _overlap(detections[:, :4], faces)
    return overlap.max(axis=1), overlap.argmax(axis=1)


def _normalise(scores: Floats, everything: Floats) -> Floats:
    """Scores by the range of those of the whole set, started at 1 and 0 as in the Python tools."""
    low, high = everything.min(initial=1.0), everything.max(initial=0.0)
    return (scores - low) / (high - low) if high > low else np.ones(len(scores))


def _best(face: NDArray[np.int64], scores: Floats, count: int) -> Floats:
    """The greatest of the scores of each of `count` faces; -inf where it has none."""
    best = np.full(count, -np.inf)
    np.maximum.at(best, face, scores)
    return best


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
        message = "%d of %d images have no predictions and count as zero detections, as %s"
        _LOG.warning(message, len(missing), len(ground_truth), missing[0])
    unknown = [key for key in predictions if key not in ground_truth]
    if unknown:
        message = "%d images with predictions are not in the ground truth and left out, as %s"
        _LOG.warning(message, len(unknown), unknown[0])
