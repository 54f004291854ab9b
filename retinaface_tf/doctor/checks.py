"""What can be wrong with a labelled set of images: one function for each kind of finding."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.records import Records
from retinaface_tf.doctor.inspection import Looks
from retinaface_tf.geometry.boxes import iou

NEVER = 1.1  # a share that no findings can have
# WIDER FACE's own labels have single faults; from this share on, faces teach something wrong.
SYSTEMATIC = 0.01

SMALL = 32  # pixels of the shorter side: the largest stride of the anchors
ELONGATED = 4.0  # long side by short side; training pads all to squares
SAME_FACE_IOU = 0.9
CROSSED = 0.1  # of the face's size, by which points have to be on the wrong side
FAR_OUTSIDE = 0.25  # of the box's size; noses of profiles do reach out a little


class Kind(NamedTuple):
    title: str
    of: str  # what its share is of: images, faces, or faces with landmarks
    hurts_from: float  # share from which it would hurt training; 0: a single one does


KINDS = {
    "unreadable": Kind("Images that are missing, cut short or undecodable", "images", 0),
    "overlap": Kind("Images of train that look like one of val", "images", 0),
    "sideways": Kind("Labels of the image as stored, not as EXIF turns it", "images", 0),
    "turned": Kind("Images that EXIF turns upright", "images", NEVER),
    "listed twice": Kind("Images that are listed twice", "images", NEVER),
    "size": Kind("Images that are tiny or elongated", "images", NEVER),
    "no faces": Kind("Images without faces, which training leaves out", "images", NEVER),
    "no area": Kind("Faces without area, which training drops", "faces", SYSTEMATIC),
    "outside": Kind("Faces centred outside of the image", "faces", SYSTEMATIC),
    "over the border": Kind("Faces that reach over the image's border", "faces", NEVER),
    "duplicate": Kind("Faces that are labelled twice", "faces", SYSTEMATIC),
    "landmark order": Kind("Landmarks in another order", "landmarks", SYSTEMATIC),
    "landmark outside": Kind("Landmarks far outside of their box", "landmarks", SYSTEMATIC),
}


class Finding(NamedTuple):
    kind: str  # a key of KINDS
    image: int  # number in the records
    face: int | None  # row in the records, if it is about one
    text: str
    twin: Path | None = None  # of an image: the other that it looks like


class Half(NamedTuple):
    """Train or val: its labels, faces without area included, and what its images look like."""

    name: str
    records: Records
    looks: Looks

    @property
    def owners(self) -> NDArray[np.int64]:
        """The image of each face, [N]."""
        return np.repeat(np.arange(len(self.records)), np.diff(self.records.splits))


def check_images(half: Half, faults: dict[int, str]) -> Iterator[Finding]:
    """Kinds about images; `faults` says by number why some cannot be read."""
    records, looks = half.records, half.looks
    first: dict[str, int] = {}
    for i in range(len(records)):
        name = str(records.images[i])
        if first.setdefault(name, i) != i:
            text = f"listed in line {records.lines[first[name]]} already"
            yield Finding("listed twice", i, None, text)
        if records.splits[i] == records.splits[i + 1]:
            yield Finding("no faces", i, None, "no face")
        if i in faults:
            yield Finding("unreadable", i, None, faults[i])
            continue
        width, height = looks.sizes[i].tolist()
        if min(width, height) < SMALL or max(width, height) > ELONGATED * min(width, height):
            yield Finding("size", i, None, f"{width} x {height} pixels")
        if looks.orientations[i] != 1:
            yield from _check_turned(half, i)


def _check_turned(half: Half, image: int) -> Iterator[Finding]:
    """Whether the faces of an image fit it only before EXIF turns it."""
    records, looks = half.records, half.looks
    boxes = records.boxes[records.splits[image] : records.splits[image + 1]]
    orientation = int(looks.orientations[image])
    size, stored = looks.sizes[image], looks.stored_sizes[image]
    reach = boxes[:, 2:].max(axis=0, initial=0)
    text = f"EXIF orientation {orientation}, upright {size[0]} x {size[1]}"
    if (reach > size + 1).any() and (reach <= stored + 1).all():
        text += f"; faces reach {reach[0]:g}, {reach[1]:g}: label the upright image"
        yield Finding("sideways", image, None, text)
    else:
        yield Finding("turned", image, None, text)


def check_boxes(half: Half) -> Iterator[Finding]:
    """Kinds about boxes; where an image is not readable, only what needs no size."""
    records, owners = half.records, half.owners
    sizes = np.where(half.looks.readable[:, None], half.looks.sizes, 1 << 30)[owners]
    near, far = records.boxes[:, :2], records.boxes[:, 2:]
    centre = (near + far) / 2
    flat = (far <= near).any(axis=1)
    outside = ~flat & ((centre <= 0) | (centre >= sizes)).any(axis=1)
    # By over a pixel, as corners are rounded.
    over = ~flat & ~outside & ((near < -1) | (far > sizes + 1)).any(axis=1)
    for kind, mask in (("no area", flat), ("outside", outside), ("over the border", over)):
        for face in np.flatnonzero(mask).tolist():
            width, height = sizes[face]
            of = "" if kind == "no area" else f" in an image of {width} x {height}"
            yield Finding(kind, int(owners[face]), face, f"box {_told(records, face)}{of}")


def check_duplicates(half: Half) -> Iterator[Finding]:
    records = half.records
    for image, (start, end) in enumerate(zip(records.splits, records.splits[1:], strict=False)):
        boxes = records.boxes[start:end]
        later, earlier = np.nonzero(np.tril(iou(boxes, boxes).numpy() >= SAME_FACE_IOU, -1))
        twins = dict(zip(later.tolist(), earlier.tolist(), strict=True))
        for face, twin in twins.items():
            line = records.face_lines[start + twin]
            text = f"box {_told(records, start + face)}, that of line {line}"
            yield Finding("duplicate", image, int(start + face), text)


def check_landmarks(half: Half) -> Iterator[Finding]:
    """Kinds about landmarks, of the faces that have some and an area."""
    records, owners = half.records, half.owners
    extent = records.boxes[:, 2:] - records.boxes[:, :2]
    rows = np.flatnonzero(records.has_landmarks & (extent > 0).all(axis=1))
    points, extent, near = records.landmarks[rows], extent[rows], records.boxes[rows, :2]
    crossed = is_crossed(points, np.sqrt(extent.prod(axis=1)))
    within = (points - near[:, None]) / extent[:, None]
    out = np.maximum(-within, within - 1).max(axis=(1, 2))
    for row in np.flatnonzero(crossed):
        text = "expected left eye, right eye, nose, left and right mouth corner as seen, found "
        text += " ".join(f"({x:g}, {y:g})" for x, y in points[row])
        yield Finding("landmark order", int(owners[rows[row]]), int(rows[row]), text)
    for row in np.flatnonzero(out > FAR_OUTSIDE):
        text = f"{out[row]:.0%} of the box {_told(records, rows[row])} outside of it"
        yield Finding("landmark outside", int(owners[rows[row]]), int(rows[row]), text)


def is_crossed(points: NDArray[np.float32], size: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which landmarks [N, 5, 2] have eyes or mouth corners on the wrong sides.

    Seen along the line from the eyes to the mouth, so that a head may be upside down; `size` [N]
    is the face's in pixels. Profiles, whose points nearly coincide, are let pass.
    """
    down = points[:, 3:].mean(axis=1) - points[:, :2].mean(axis=1)
    length = np.maximum(np.linalg.norm(down, axis=1), 1e-6)

    def across(left: int, right: int) -> NDArray[np.float32]:
        step = points[:, right] - points[:, left]
        return (step[:, 0] * down[:, 1] - step[:, 1] * down[:, 0]) / length / size

    return (across(0, 1) < -CROSSED) | (across(3, 4) < -CROSSED)


def _told(records: Records, face: int) -> str:
    """A box as label files have it."""
    x1, y1, x2, y2 = records.boxes[face]
    return f"{x1:g} {y1:g} {x2 - x1:g} {y2 - y1:g}"
