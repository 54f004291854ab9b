"""Checks the images, boxes and landmarks of a split: one function for each group of findings."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.records import Records
from retinaface_tf.doctor.findings import Finding, Split
from retinaface_tf.geometry.boxes import iou

MIN_SIDE = 32  # pixels: the largest stride of the anchors
MAX_ASPECT_RATIO = 4.0  # long side by short side; training pads images to squares
SAME_FACE_IOU = 0.9
MIN_CROSSING = 0.1  # of the face's size, by which points must be on the wrong side
MAX_TURN = 45.0  # degrees from upright, up to which left and right are unambiguous
MAX_OUTSIDE = 0.25  # of the box's size, as the nose of a profile may reach out a little


def check_images(split: Split, faults: Mapping[int, str]) -> Iterator[Finding]:
    """Finds images that are unreadable, turned, listed twice, of unusual size, or without faces.

    Args:
        split: to check.
        faults: why images cannot be read, by index.
    """
    records, facts = split.records, split.images
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
        width, height = facts.sizes[i].tolist()
        short, long = sorted((width, height))
        if short < MIN_SIDE or long > MAX_ASPECT_RATIO * short:
            yield Finding("size", i, None, f"{width} x {height} pixels")
        if facts.orientations[i] != 1:
            yield _check_turned(split, i)


def _check_turned(split: Split, image: int) -> Finding:
    """Tells whether the faces of an image fit only before EXIF turns the image."""
    records, facts = split.records, split.images
    boxes = records.boxes[records.splits[image] : records.splits[image + 1]]
    orientation = int(facts.orientations[image])
    size, stored = facts.sizes[image], facts.stored_sizes[image]
    reach = boxes[:, 2:].max(axis=0, initial=0)
    text = f"EXIF orientation {orientation}, upright {size[0]} x {size[1]}"
    if (reach > size + 1).any() and (reach <= stored + 1).all():
        text += f"; faces reach {reach[0]:g}, {reach[1]:g}: label the upright image"
        return Finding("sideways", image, None, text)
    return Finding("turned", image, None, text)


def check_boxes(split: Split) -> Iterator[Finding]:
    """Finds faces without area, outside their image, or reaching beyond it.

    The faces of images that cannot be read, whose size is unknown, count as inside.
    """
    records, image_of_face = split.records, split.image_of_face
    sizes = np.where(split.images.readable[:, None], split.images.sizes, 1 << 30)[image_of_face]
    top_left, bottom_right = records.boxes[:, :2], records.boxes[:, 2:]
    centre = (top_left + bottom_right) / 2
    is_flat = (bottom_right <= top_left).any(axis=1)
    is_outside = ~is_flat & ((centre <= 0) | (centre >= sizes)).any(axis=1)
    # By more than a pixel, as corners are rounded.
    reaches_over = ((top_left < -1) | (bottom_right > sizes + 1)).any(axis=1)
    is_over = ~is_flat & ~is_outside & reaches_over
    masks = {"no area": is_flat, "outside": is_outside, "over the border": is_over}
    for kind, mask in masks.items():
        for face in np.flatnonzero(mask).tolist():
            width, height = sizes[face]
            frame = "" if kind == "no area" else f" in an image of {width} x {height}"
            text = f"box {_columns(records, face)}{frame}"
            yield Finding(kind, int(image_of_face[face]), face, text)


def check_duplicates(split: Split) -> Iterator[Finding]:
    """Finds faces that are labelled twice."""
    records = split.records
    for image, (start, end) in enumerate(zip(records.splits, records.splits[1:], strict=False)):
        boxes = records.boxes[start:end]
        later, earlier = np.nonzero(np.tril(iou(boxes, boxes).numpy() >= SAME_FACE_IOU, -1))
        duplicates = dict(zip(later.tolist(), earlier.tolist(), strict=True))
        for face, original in duplicates.items():
            line = records.face_lines[start + original]
            text = f"box {_columns(records, start + face)}, that of line {line}"
            yield Finding("duplicate", image, int(start + face), text)


def check_landmarks(split: Split) -> Iterator[Finding]:
    """Finds landmarks in another order or far outside their box."""
    records, image_of_face = split.records, split.image_of_face
    extent = records.boxes[:, 2:] - records.boxes[:, :2]
    rows = np.flatnonzero(records.has_landmarks & (extent > 0).all(axis=1))
    points, extent, top_left = records.landmarks[rows], extent[rows], records.boxes[rows, :2]
    crossed, upright = is_crossed(points, np.sqrt(extent.prod(axis=1))), is_upright(points)
    within = (points - top_left[:, None]) / extent[:, None]
    outside = np.maximum(-within, within - 1).max(axis=(1, 2))
    for row in np.flatnonzero(crossed):
        text = "expected left eye, right eye, nose, left and right mouth corner as seen, found "
        text += " ".join(f"({x:.0f}, {y:.0f})" for x, y in points[row])
        kind = "landmark order" if upright[row] else "not upright"
        yield Finding(kind, int(image_of_face[rows[row]]), int(rows[row]), text)
    for row in np.flatnonzero(outside > MAX_OUTSIDE):
        text = f"outside the box {_columns(records, rows[row])} by {outside[row]:.0%} of it"
        yield Finding("landmark outside", int(image_of_face[rows[row]]), int(rows[row]), text)


def is_crossed(points: NDArray[np.float32], size: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tells which landmarks have eyes or mouth corners on the wrong sides.

    Sides are relative to the line from the eyes to the mouth, so that a head may be upside down.
    Profiles, whose points nearly coincide, pass.

    Args:
        points: [N, 5, 2], pixels.
        size: of each face in pixels, [N].

    Returns:
        bool [N].
    """
    down = _eyes_to_mouth(points)
    length = np.maximum(np.linalg.norm(down, axis=1), 1e-6)

    def across(left: int, right: int) -> NDArray[np.float32]:
        step = points[:, right] - points[:, left]
        return (step[:, 0] * down[:, 1] - step[:, 1] * down[:, 0]) / length / size

    return (across(0, 1) < -MIN_CROSSING) | (across(3, 4) < -MIN_CROSSING)


def is_upright(points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tells which faces, by landmarks [N, 5, 2], are turned by at most MAX_TURN: bool [N].

    In other faces, left may mean left in the image to some people, and left in the face to others.
    """
    right, down = _eyes_to_mouth(points).T
    return np.abs(right) <= np.tan(np.radians(MAX_TURN)) * down


def _eyes_to_mouth(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points[:, 3:].mean(axis=1) - points[:, :2].mean(axis=1)


def _columns(records: Records, face: int) -> str:
    """Formats a box as in label files."""
    x1, y1, x2, y2 = records.boxes[face]
    return f"{x1:g} {y1:g} {x2 - x1:g} {y2 - y1:g}"
