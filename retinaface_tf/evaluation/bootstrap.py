"""Estimates by bootstrap how much AP would vary on other images of the same kind (NumPy only).

Images are resampled with replacement. Compared runs get the same resamples, so that what is easy or
hard for all of them cancels out of their differences. Scores stay normalised over all images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.evaluation.average_precision import THRESHOLDS, Floats, areas_under
from retinaface_tf.evaluation.outcome import Outcome, detections_in_set

Counts = NDArray[np.float32]  # whole numbers, exact below 2 ** 24

_CONFIDENCE = 95  # percent


class ImageCounts(NamedTuple):
    """Counts what each image adds to the curve of a set, by threshold."""

    hits: Counts  # [I, 1000]
    proposals: Counts  # [I, 1000]
    faces: Counts  # [I]

    def of(self, images: NDArray[np.int64]) -> "ImageCounts":
        """Selects images, which may occur more than once."""
        return ImageCounts(self.hits[images], self.proposals[images], self.faces[images])


def count_by_image(outcome: Outcome, name: str) -> ImageCounts:
    """Counts faces, and hits and proposals that reach each of THRESHOLDS, by image, for a set."""
    matches, faces_of_set = outcome.matches, outcome.in_set[name]
    proposes = detections_in_set(outcome, name)
    hits = proposes & outcome.hit
    faces = np.bincount(outcome.face_image[faces_of_set], minlength=len(outcome.images))
    return ImageCounts(
        _reaching(matches.scores[hits], matches.image[hits], len(outcome.images)),
        _reaching(matches.scores[proposes], matches.image[proposes], len(outcome.images)),
        faces.astype(np.float32),
    )


def resampled_ap(runs: Sequence[ImageCounts], resamples: int, seed: int) -> Floats:
    """Computes AP of each run in each resample: [runs, resamples].

    Raises:
        ValueError: the runs have different numbers of images.
    """
    images = {len(run.faces) for run in runs}
    if len(images) != 1:
        raise ValueError(f"runs of {images} images, expected the same images in each")
    count = images.pop()
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    return np.stack([_ap(run, draws.astype(np.float32)) for run in runs])


def interval(values: Floats) -> tuple[float, float]:
    """Finds the interval that holds the middle 95 % of the values [N]."""
    outside = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(values, [outside, 100 - outside])
    return float(low), float(high)


def _reaching(scores: Floats, image: NDArray[np.int64], images: int) -> Counts:
    """Counts the scores of each image that reach each threshold: [I, 1000]."""
    # Thresholds fall: a score reaches the first one that is not above it, and all that follow.
    first = np.searchsorted(-THRESHOLDS, -scores)
    size = len(THRESHOLDS)
    cells = np.bincount(image * size + first, minlength=images * size).reshape(images, size)
    return np.cumsum(cells, axis=1).astype(np.float32)


def _ap(run: ImageCounts, draws: Counts) -> Floats:
    """Computes AP [R] from draws [R, I], which say how often each image was drawn."""
    hits, proposals = (draws @ each for each in (run.hits, run.proposals))
    faces = np.maximum((draws @ run.faces)[:, None].astype(np.float64), 1)
    return areas_under(hits / np.maximum(proposals, 1).astype(np.float64), hits / faces)
