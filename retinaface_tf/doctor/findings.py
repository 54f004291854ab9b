"""Defines kinds of findings in a data set, how serious each is, and the split that has them."""

import math
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.records import Records
from retinaface_tf.doctor.inspection import ImageFacts

# WIDER FACE's own labels have a few faults; from this fraction on, labels teach something wrong.
SYSTEMATIC_FRACTION = 0.01
PREVALENT_FRACTION = 0.5
# Fewer say nothing about the rest, unless all are faulty: one face is over 1 % of a small set.
MIN_SYSTEMATIC = 5


class Severity(Enum):
    """Says how many findings of a kind make a data set unfit for training."""

    FATAL = "one"
    SYSTEMATIC = "one in a hundred"
    PREVALENT = "half"
    HARMLESS = "no number"

    def is_blocking(self, count: int, population: int) -> bool:
        """Tells whether `count` findings among `population` images or faces are too many."""
        least = min(MIN_SYSTEMATIC, population)
        needed = {
            Severity.FATAL: 1,
            Severity.SYSTEMATIC: max(SYSTEMATIC_FRACTION * population, least),
            Severity.PREVALENT: max(PREVALENT_FRACTION * population, least),
        }
        return 0 < count >= needed.get(self, math.inf)


class Population(StrEnum):
    """Lists the things among which findings of a kind are counted."""

    IMAGES = "images"
    FACES = "faces"
    LANDMARKS = "landmarks"  # faces with landmarks


@dataclass(frozen=True)
class Kind:
    """Describes a kind of finding."""

    title: str
    population: Population
    severity: Severity
    remedy: str = ""  # what to do if such findings block training


KINDS = {
    "unreadable": Kind(
        "Images that are missing, cut short or undecodable",
        Population.IMAGES,
        Severity.FATAL,
        "replace the images or take them out of the labels, or train without them: "
        "--set data.unreadable=skip",
    ),
    "overlap": Kind(
        "Images of train that look like an image of val",
        Population.IMAGES,
        Severity.FATAL,
        "take these images out of the labels of train",
    ),
    "sideways": Kind(
        "Labels that fit the image as stored, not as EXIF turns it",
        Population.IMAGES,
        Severity.FATAL,
        "label the images upright, or remove their EXIF orientation",
    ),
    "turned": Kind("Images that EXIF turns upright", Population.IMAGES, Severity.HARMLESS),
    "listed twice": Kind("Images that are listed twice", Population.IMAGES, Severity.HARMLESS),
    "size": Kind("Images that are tiny or elongated", Population.IMAGES, Severity.HARMLESS),
    "no faces": Kind(
        "Images without faces, which training leaves out", Population.IMAGES, Severity.HARMLESS
    ),
    "no area": Kind(
        "Faces without area, which training drops",
        Population.FACES,
        Severity.SYSTEMATIC,
        "write boxes as x y width height in pixels, and take out those without area",
    ),
    "outside": Kind(
        "Faces centred outside the image",
        Population.FACES,
        Severity.SYSTEMATIC,
        "write boxes as x y width height in pixels of the image as it is stored here",
    ),
    "over the border": Kind(
        "Faces that reach beyond the image", Population.FACES, Severity.HARMLESS
    ),
    "duplicate": Kind(
        "Faces that are labelled twice",
        Population.FACES,
        Severity.SYSTEMATIC,
        "remove one line of each pair",
    ),
    "landmark order": Kind(
        "Landmarks in another order",
        Population.LANDMARKS,
        Severity.SYSTEMATIC,
        "write left eye, right eye, nose, left and right mouth corner, as seen in the image",
    ),
    "not upright": Kind(
        "Faces on their side or upside down, or landmarks in another order",
        Population.LANDMARKS,
        Severity.PREVALENT,
        "if faces are upright, write left eye, right eye, nose, left and right mouth corner",
    ),
    "landmark outside": Kind(
        "Landmarks far outside their box",
        Population.LANDMARKS,
        Severity.SYSTEMATIC,
        "write landmarks as x y in pixels of the image, or -1 for faces without",
    ),
}


@dataclass(frozen=True)
class Finding:
    """Describes a fault, or something worth knowing, of an image or a face."""

    kind: str  # a key of KINDS
    image: int  # index in the records
    face: int | None  # row in the records, if the finding is about a face
    text: str
    lookalike: Path | None = None  # the other image that this one looks like


@dataclass(frozen=True)
class Split:
    """Holds train or val: labels, including faces without area, and facts of images."""

    name: str
    records: Records
    images: ImageFacts

    @property
    def image_of_face(self) -> NDArray[np.int64]:
        """Returns the index of each face's image, [N]."""
        return np.repeat(np.arange(len(self.records)), np.diff(self.records.splits))

    @property
    def populations(self) -> dict[Population, int]:
        """Counts images, faces, and faces with landmarks."""
        return {
            Population.IMAGES: len(self.records),
            Population.FACES: len(self.records.boxes),
            Population.LANDMARKS: int(self.records.has_landmarks.sum()),
        }

    def where(self, finding: Finding) -> str:
        """Returns the label file and line of a finding."""
        if finding.face is None:
            return self.records.where(finding.image)
        return f"{self.records.label_file}:{self.records.face_lines[finding.face]}"

    def image_of(self, finding: Finding) -> str:
        """Returns the name of the image of a finding."""
        return str(self.records.images[finding.image])
