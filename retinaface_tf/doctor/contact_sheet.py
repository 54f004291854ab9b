"""Writes the doctor's findings as one HTML page, with the thumbnails inside of the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.doctor.diagnosis import Diagnosis, HeightRow, SplitDiagnosis
from retinaface_tf.doctor.findings import KINDS, Finding, Population, Split
from retinaface_tf.drawing import GREEN, RED, Window, window_around
from retinaface_tf.html_page import data_uri, write_page

MAX_EXAMPLES = 24  # of each kind
SAMPLES = 12  # images of each split as training reads it
SIDE, JPEG_QUALITY = 240, 85  # of a thumbnail, in pixels
MARGIN, MIN_SIDE = 0.75, 40  # of the window around a face: in sides of the face; pixels
# RGB, from the left eye on.
LANDMARK_COLOURS = ((0, 120, 255), (255, 160, 0), (255, 0, 255), (0, 220, 220), (255, 240, 0))


@dataclass(frozen=True)
class Example:
    """An image to show: with a finding, or as training reads it."""

    thumbnails: list[str]  # data URIs; of a pair that looks alike both; none of an unreadable image
    where: str
    name: str
    text: str


@dataclass(frozen=True)
class KindSection:
    """The findings of a kind."""

    title: str
    count: int
    is_blocking: bool
    examples: list[Example]


@dataclass(frozen=True)
class SplitSection:
    """A split: its faces by height, its findings, and images as training reads them."""

    name: str
    populations: dict[Population, int]
    heights: list[HeightRow]
    max_faces: int  # of a row of heights
    unmatchable: int
    kinds: list[KindSection]
    samples: list[Example]


def write_contact_sheet(file: Path, diagnosis: Diagnosis) -> None:
    """Writes the page, which needs no other file and no network."""
    write_page(
        file,
        "retinaface_tf.doctor",
        "contact_sheet.html",
        root=diagnosis.config.data.root,
        image_size=diagnosis.config.data.image_size,
        blocking=diagnosis.blocking(),
        splits=[_split_section(split) for split in diagnosis.splits],
    )


def _split_section(diagnosis: SplitDiagnosis) -> SplitSection:
    heights = diagnosis.heights()
    return SplitSection(
        name=diagnosis.split.name,
        populations=diagnosis.split.populations,
        heights=heights,
        max_faces=max(1, *(row.faces for row in heights)),
        unmatchable=int((~diagnosis.matchable).sum()),
        kinds=list(_kind_sections(diagnosis)),
        samples=_samples(diagnosis.split),
    )


def _kind_sections(diagnosis: SplitDiagnosis) -> Iterator[KindSection]:
    blocking = diagnosis.blocking()
    for name, kind in KINDS.items():
        if found := diagnosis.of_kind(name):
            examples = [_example(diagnosis.split, finding) for finding in found[:MAX_EXAMPLES]]
            yield KindSection(kind.title, len(found), name in blocking, examples)


def _example(split: Split, finding: Finding) -> Example:
    thumbnails = _thumbnails(split, finding.image, finding.face)
    if finding.lookalike is not None:
        pixels = read_image(finding.lookalike)
        thumbnails.append(data_uri(_resize(pixels, SIDE / max(pixels.shape[:2])), JPEG_QUALITY))
    return Example(thumbnails, split.where(finding), split.image_of(finding), finding.text)


def _samples(split: Split) -> list[Example]:
    """Returns images that can be read, evenly spread."""
    records, readable = split.records, np.flatnonzero(split.images.readable)
    places = np.linspace(0, len(readable) - 1, min(SAMPLES, len(readable))).round().astype(int)
    return [
        Example(
            _thumbnails(split, i, None),
            records.where(i),
            str(records.images[i]),
            f"{records.splits[i + 1] - records.splits[i]} faces",
        )
        for i in readable[places].tolist()
    ]


def _thumbnails(split: Split, image: int, face: int | None) -> list[str]:
    """Draws an image with its faces, or the surroundings of one; none if it cannot be read."""
    if not split.images.readable[image]:
        return []
    records = split.records
    pixels = read_image(records.path(image))
    height, width = pixels.shape[:2]
    window = Window(0, 0, width, height)
    if face is not None:
        around = window_around(records.boxes[face], pixels.shape, MARGIN, min_square=MIN_SIDE)
        window = around or window
    x1, y1, x2, y2 = window
    scale = SIDE / max(x2 - x1, y2 - y1)
    canvas = _resize(window.cut(pixels), scale)
    for row in range(records.splits[image], records.splits[image + 1]):
        box = (records.boxes[row] - [x1, y1, x1, y1]) * scale
        cv2.rectangle(canvas, _pixel(box[:2]), _pixel(box[2:]), RED if row == face else GREEN, 1)
        if records.has_landmarks[row]:
            points = (records.landmarks[row] - [x1, y1]) * scale
            for point, colour in zip(points, LANDMARK_COLOURS, strict=True):
                cv2.circle(canvas, _pixel(point), 2, colour, -1)
    return [data_uri(canvas, JPEG_QUALITY)]


def _resize(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=interpolation)


def _pixel(point: NDArray[np.float32]) -> tuple[int, int]:
    """Rounds to whole pixels, within what OpenCV can count."""
    x, y = np.clip(point, -10_000, 10_000).round().astype(int).tolist()
    return x, y
