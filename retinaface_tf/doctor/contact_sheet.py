"""Writes the doctor's findings as one HTML page that includes the thumbnails."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from retinaface_tf import __version__
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.doctor.diagnosis import Diagnosis, HeightRow, SplitDiagnosis
from retinaface_tf.doctor.findings import KINDS, Finding, Population, Split
from retinaface_tf.drawing import Picture, Window, window_around
from retinaface_tf.html_page import write_page
from retinaface_tf.tiles import Box, Point, Tile, landmark_points, make_tile
from retinaface_tf.wording import counted

MAX_EXAMPLES = 24  # of each kind
SAMPLES = 12  # images of each split, as training reads them
MARGIN, MIN_SIDE = 0.75, 40  # of the window around a face: in sides of the face, and in pixels


@dataclass(frozen=True)
class Example:
    """Holds an image to show, with a finding or as training reads it."""

    tiles: list[Tile]  # two for a pair that looks alike; none for an unreadable image
    where: str
    name: str  # of the image
    text: str


@dataclass(frozen=True)
class KindSection:
    """Holds the findings of a kind."""

    title: str
    count: int
    is_blocking: bool
    examples: list[Example]


@dataclass(frozen=True)
class SplitSection:
    """Holds a split: its faces by height, its findings, and images as training reads them."""

    name: str
    populations: dict[Population, int]
    heights: list[HeightRow]
    max_faces: int  # in any row of heights
    unmatchable: int
    kinds: list[KindSection]
    samples: list[Example]


def write_contact_sheet(file: Path, diagnosis: Diagnosis) -> None:
    """Writes the page, which needs neither other files nor a network."""
    write_page(
        file,
        "retinaface_tf.doctor",
        "contact_sheet.html",
        root=diagnosis.config.data.root,
        image_size=diagnosis.config.data.image_size,
        blocking=diagnosis.blocking(),
        version=__version__,
        date=datetime.now().isoformat(" ", "minutes"),
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
    tiles = _tiles(split, finding.image, finding.face)
    if finding.lookalike is not None:
        pixels = read_image(finding.lookalike)
        tiles.append(make_tile(pixels, _whole(pixels), []))
    return Example(tiles, split.where(finding), split.image_of(finding), finding.text)


def _samples(split: Split) -> list[Example]:
    """Returns readable images, evenly spread."""
    records, readable = split.records, np.flatnonzero(split.images.readable)
    places = np.linspace(0, len(readable) - 1, min(SAMPLES, len(readable))).round().astype(int)
    return [
        Example(
            _tiles(split, i, None),
            records.where(i),
            str(records.images[i]),
            counted(int(records.splits[i + 1] - records.splits[i]), "face"),
        )
        for i in readable[places].tolist()
    ]


def _tiles(split: Split, image: int, face: int | None) -> list[Tile]:
    """Shows an image with its faces, or the surroundings of one; nothing if it is unreadable."""
    if not split.images.readable[image]:
        return []
    pixels = read_image(split.records.path(image))
    window = _whole(pixels)
    if face is not None:
        box = split.records.boxes[face]
        window = window_around(box, pixels.shape, MARGIN, min_square=MIN_SIDE) or window
    return [make_tile(pixels, window, *_labels(split, image, face))]


def _labels(split: Split, image: int, subject: int | None) -> tuple[list[Box], list[Point]]:
    """Lists the faces of an image and their landmarks, with the subject first."""
    records = split.records
    faces = sorted(
        range(records.splits[image], records.splits[image + 1]), key=lambda face: face != subject
    )
    points = [
        point
        for face in faces
        if records.has_landmarks[face]
        for point in landmark_points(records.landmarks[face])
    ]
    return [_box(split, face, face == subject) for face in faces], points


def _box(split: Split, face: int, is_subject: bool) -> Box:
    x1, y1, x2, y2 = split.records.boxes[face].round(1).tolist()
    return Box(x1, y1, x2 - x1, y2 - y1, "labelled subject" if is_subject else "labelled")


def _whole(pixels: Picture) -> Window:
    height, width = pixels.shape[:2]
    return Window(0, 0, width, height)
