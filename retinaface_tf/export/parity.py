"""Checks parity: compares an exported model with the detector that it was made from."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.decode import decode_image
from retinaface_tf.detections import Detections
from retinaface_tf.errors import DoesNotHold
from retinaface_tf.evaluation.average_precision import GroundTruth, evaluate_predictions
from retinaface_tf.evaluation.predict import Detect, rows
from retinaface_tf.export.pairing import Tolerance, compare_answers, first_image
from retinaface_tf.geometry.passes import plan_passes
from retinaface_tf.runtimes.all_sizes import detect_all_sizes
from retinaface_tf.structures import DetectionBatch

log = logging.getLogger(__name__)

# Detects faces in an image file, as a batch of one.
DetectFile = Callable[[Path], DetectionBatch]

SAME_GRAPH = Tolerance(pixels=1e-2, score=1e-5)  # other kernels sum in a different order
OTHER_RUNTIME = Tolerance(pixels=1e-2, score=1e-4)


@dataclass(frozen=True)
class Parity:
    """Holds the differences between two detectors, over all images.

    Attributes:
        images: how many were compared.
        paired: boxes that both detectors found.
        box: the largest difference between corners of paired boxes, in pixels.
        landmark: the largest difference between their landmarks, in pixels.
        score: the largest difference between their scores.
        borderline: boxes that only one detector found, explained by rounding.
        unpaired: boxes that only one detector found, unexplained.
        ap: of the source and of the export, by set, if the faces are known.
    """

    images: int
    paired: int
    box: float
    landmark: float
    score: float
    borderline: int
    unpaired: int
    ap: tuple[Mapping[str, float], Mapping[str, float]] | None

    def holds(self, tolerance: Tolerance) -> bool:
        """Tells whether all differences are within the tolerance."""
        pixels = max(self.box, self.landmark)
        return not self.unpaired and pixels <= tolerance.pixels and self.score <= tolerance.score

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures by their names in an export's metadata."""
        return {
            "images": self.images,
            "common": self.paired,
            "box": self.box,
            "landmark": self.landmark,
            "score": self.score,
            "edge": self.borderline,
            "other": self.unpaired,
            "ap": self.ap,
        }

    def __str__(self) -> str:
        text = (
            f"{self.images} images, {self.paired} boxes in both: at most {self.box:.2g} px in "
            f"boxes, {self.landmark:.2g} px in landmarks, {self.score:.2g} in score apart; boxes "
            f"in only one: {self.borderline} at a threshold, {self.unpaired} elsewhere"
        )
        if self.ap is None:
            return text
        source, export = (" / ".join(f"{value:.4f}" for value in ap.values()) for ap in self.ap)
        return f"{text}; AP {' / '.join(self.ap[0])} {source} of the source, {export} of the export"


@dataclass(frozen=True)
class ParityCheck:
    """Compares exports with their source on the same images.

    Attributes:
        files: images by name.
        truth: their faces, if known.
        config: thresholds and limits of both detectors.
        held: results of the comparisons that had to hold, and did.
    """

    files: Mapping[str, Path]
    truth: Mapping[str, GroundTruth] | None
    config: Config
    held: list[Parity] = field(default_factory=list, init=False)

    def measure(
        self, name: str, source: DetectFile, export: DetectFile, tolerance: Tolerance
    ) -> Parity:
        """Measures the differences between an export and its source, and logs them as details.

        Args:
            name: of the export, for the log.
            source: the detector that was exported.
            export: the exported model.
            tolerance: differences that rounding explains.
        """
        pairs = {image: (source(file), export(file)) for image, file in self.files.items()}
        parity = compare_detectors(pairs, self.config, tolerance, self.truth)
        log.debug("%s: %s", name, parity)
        return parity

    def require(
        self, name: str, source: DetectFile, export: DetectFile, tolerance: Tolerance
    ) -> Parity:
        """Measures like `measure`, and refuses an export that is too far from its source.

        Raises:
            DoesNotHold: a difference exceeds the tolerance.
        """
        parity = self.measure(name, source, export, tolerance)
        if not parity.holds(tolerance):
            raise DoesNotHold(
                f"{name}: answers differ from its source's, expected at most "
                f"{tolerance.pixels:g} px and {tolerance.score:g} in score apart, and no box in "
                f"only one except at a threshold; no version was written"
            )
        self.held.append(parity)
        return parity

    def summary(self) -> str:
        """Returns, in one line, the largest differences of all comparisons that had to hold."""
        pixels = max((max(parity.box, parity.landmark) for parity in self.held), default=0)
        score = max((parity.score for parity in self.held), default=0)
        boxes = sum(parity.paired for parity in self.held)
        return (
            f"{len(self.files)} images, {boxes} boxes, at most {pixels:.2g} px and {score:.2g} in "
            f"score apart"
        )


def decode_and_detect(detect: Detect) -> DetectFile:
    """Returns a function that decodes an image file and detects faces in its pixels.

    Args:
        detect: takes images uint8 [1, H, W, 3] and their scale, as a Detector does.
    """
    return lambda file: detect(decode_image(tf.io.read_file(str(file)))[None], 1.0)


def decode_and_detect_all_sizes(detect: Detect, config: Config) -> DetectFile:
    """Returns a function that decodes an image file and detects faces of every size.

    Args:
        detect: as for `decode_and_detect`.
        config: of the detector.
    """

    def one_pass(images: NDArray[np.uint8]) -> list[Detections]:
        return Detections.of_batch(detect(tf.constant(images), 1.0))

    def detect_file(file: Path) -> DetectionBatch:
        pixels = decode_image(tf.io.read_file(str(file)))[None].numpy()
        _, height, width, _ = pixels.shape
        plan = plan_passes(height, width, config)
        [faces] = detect_all_sizes(one_pass, pixels, plan, config, config.detector)
        return faces.as_batch()

    return detect_file


def compare_detectors(
    pairs: Mapping[str, tuple[DetectionBatch, DetectionBatch]],
    config: Config,
    tolerance: Tolerance,
    truth: Mapping[str, GroundTruth] | None = None,
) -> Parity:
    """Compares the answers of two detectors for the same images.

    Args:
        pairs: by image, the answers of the source and of the export, as batches of one.
        config: thresholds and limits of both.
        tolerance: differences that rounding explains.
        truth: faces in these images, to measure AP, too.
    """
    differences = [
        compare_answers(first_image(source), first_image(export), config.detector, tolerance)
        for source, export in pairs.values()
    ]
    table = np.array(differences)
    box, landmark, score = table[:, :3].max(axis=0).tolist()
    paired, borderline, unpaired = table[:, 3:].sum(axis=0).astype(int).tolist()
    ap = None
    if truth is not None:
        ap = (_ap(pairs, 0, truth, config), _ap(pairs, 1, truth, config))
    return Parity(len(pairs), paired, box, landmark, score, borderline, unpaired, ap)


def _ap(
    pairs: Mapping[str, tuple[DetectionBatch, DetectionBatch]],
    side: int,
    truth: Mapping[str, GroundTruth],
    config: Config,
) -> dict[str, float]:
    predictions = {name: rows(pair[side]) for name, pair in pairs.items()}
    return evaluate_predictions(predictions, {n: truth[n] for n in pairs}, config.eval.iou)
