"""Estimates by a bootstrap how much AP would differ on other images of the same kind (NumPy only).

Images are drawn again, as many as there are, with replacement; runs that are compared get the same
draws, so that what is easy or hard for all of them cancels out of their differences. Scores stay
normalised as over all images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.evaluation.average_precision import THRESHOLDS, Floats, areas_under
from retinaface_tf.evaluation.outcome import Outcome, detections_in_set

Counts = NDArray[np.float32]  # whole numbers, exact below 2 ** 24

_CONFIDENCE = 95  # per cent


class ImageCounts(NamedTuple):
    """Counts what each image adds to the curve of a set, by threshold."""

    hits: Counts  # [I, 1000]
    proposals: Counts  # [I, 1000]
    faces: Counts  # [I]

    def of(self, images: NDArray[np.int64]) -> "ImageCounts":
        """Selects images, which may come more than once."""
        return ImageCounts(self.hits[images], self.proposals[images], self.faces[images])


def count_by_image(outcome: Outcome, name: str) -> ImageCounts:
    """Counts hits and proposals that reach each of THRESHOLDS, and faces, by image of a set."""
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
        ValueError: the runs are of different numbers of images.
    """
    images = {len(run.faces) for run in runs}
    if len(images) != 1:
        raise ValueError(f"runs of {images} images, expected the same images in each")
    count = images.pop()
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    return np.stack([_ap(run, draws.astype(np.float32)) for run in runs])


def interval(values: Floats) -> tuple[float, float]:
    """Finds the two numbers between which 95 % of the values [N] lie, as many below as above."""
    outside = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(values, [outside, 100 - outside])
    return float(low), float(high)


def _reaching(scores: Floats, image: NDArray[np.int64], images: int) -> Counts:
    """Counts the scores of each image that reach each threshold: [I, 1000]."""
    # Thresholds fall; a score reaches the first that is not above it, and all after that.
    first = np.searchsorted(-THRESHOLDS, -scores)
    size = len(THRESHOLDS)
    cells = np.bincount(image * size + first, minlength=images * size).reshape(images, size)
    return np.cumsum(cells, axis=1).astype(np.float32)


def _ap(run: ImageCounts, draws: Counts) -> Floats:
    """Computes AP [R] where draws [R, I] say how often each image was drawn."""
    hits, proposals = (draws @ each for each in (run.hits, run.proposals))
    faces = np.maximum((draws @ run.faces)[:, None].astype(np.float64), 1)
    return areas_under(hits / np.maximum(proposals, 1).astype(np.float64), hits / faces)
