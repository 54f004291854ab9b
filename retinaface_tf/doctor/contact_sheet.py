"""The findings of the doctor as one HTML page: thumbnails with their faces, inside of the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.data.decode import decode_image
from retinaface_tf.doctor.checks import KINDS, Finding
from retinaface_tf.doctor.diagnosis import Diagnosis, Patient, height_table
from retinaface_tf.drawing import Window, window_around
from retinaface_tf.pages import data_uri, write_page

MOST = 24  # pictures of each kind
SAMPLES = 12  # pictures of each half as training reads it, evenly spread
SIDE, JPEG_QUALITY = 240, 85  # of a thumbnail, in pixels
MARGIN, MIN_SIDE = 0.75, 40  # of the window around a face: in sides of the face; pixels
# RGB: a face, the one that it is about, landmarks from the left eye on.
GREEN, RED = (0, 200, 0), (230, 0, 0)
POINTS = ((0, 120, 255), (255, 160, 0), (255, 0, 255), (0, 220, 220), (255, 240, 0))


class Picture(NamedTuple):
    jpegs: list[str]  # data URIs; two where it is about two images, none where nothing can be seen
    where: str
    name: str
    text: str


def write_contact_sheet(file: Path, diagnosis: Diagnosis) -> None:
    """Writes the page, which needs no other file and no network."""
    write_page(
        file,
        "retinaface_tf.doctor",
        "contact_sheet.html",
        root=diagnosis.config.data.root,
        image_size=diagnosis.config.data.image_size,
        hurts=diagnosis.hurts(),
        halves=[_half(patient) for patient in diagnosis.patients],
    )


def _half(patient: Patient) -> dict[str, Any]:
    heights = height_table(patient)
    return {
        "name": patient.half.name,
        "counts": patient.counts,
        "heights": heights,
        "most": max(1, *(faces for _, faces, _ in heights)),
        "missed": int((~patient.reached).sum()),
        "kinds": list(_kinds(patient)),
        "samples": list(_samples(patient)),
    }


def _kinds(patient: Patient) -> Iterator[dict[str, Any]]:
    hurting = patient.hurts()
    for kind, (title, *_) in KINDS.items():
        findings = [finding for finding in patient.findings if finding.kind == kind]
        if findings:
            yield {
                "title": title,
                "count": len(findings),
                "hurts": kind in hurting,
                "pictures": [_picture(patient, finding) for finding in findings[:MOST]],
            }


def _picture(patient: Patient, finding: Finding) -> Picture:
    name = str(patient.half.records.images[finding.image])
    jpegs = _thumbnail(patient, finding.image, finding.face)
    if finding.twin is not None:
        pixels = decode_image(tf.io.read_file(str(finding.twin))).numpy()
        jpegs.append(data_uri(_shrink(pixels, SIDE / max(pixels.shape[:2])), JPEG_QUALITY))
    return Picture(jpegs, patient.where(finding), name, finding.text)


def _samples(patient: Patient) -> Iterator[Picture]:
    records, readable = patient.half.records, np.flatnonzero(patient.half.looks.readable)
    for place in np.unique(np.linspace(0, len(readable) - 1, SAMPLES).round().astype(int)):
        if len(readable):
            i = int(readable[place])
            faces = f"{records.splits[i + 1] - records.splits[i]} faces"
            yield Picture(
                _thumbnail(patient, i, None), records.where(i), str(records.images[i]), faces
            )


def _thumbnail(patient: Patient, image: int, face: int | None) -> list[str]:
    """An image with its faces, or what is around one of them; nothing if it cannot be read."""
    half = patient.half
    if not half.looks.readable[image]:
        return []
    records = half.records
    pixels = decode_image(tf.io.read_file(str(records.path(image)))).numpy()
    height, width = pixels.shape[:2]
    window = Window(0, 0, width, height)
    if face is not None:
        around = window_around(records.boxes[face], pixels.shape, MARGIN, min_square=MIN_SIDE)
        window = around or window
    x1, y1, x2, y2 = window
    scale = SIDE / max(x2 - x1, y2 - y1)
    canvas = _shrink(window.cut(pixels), scale)
    for row in range(records.splits[image], records.splits[image + 1]):
        _draw(
            canvas, (records.boxes[row] - [x1, y1, x1, y1]) * scale, RED if row == face else GREEN
        )
        if records.has_landmarks[row]:
            points = (records.landmarks[row] - [x1, y1]) * scale
            for point, colour in zip(points, POINTS, strict=True):
                cv2.circle(canvas, _pixel(point), 2, colour, -1)
    return [data_uri(canvas, JPEG_QUALITY)]


def _shrink(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=interpolation)


def _draw(canvas: NDArray[np.uint8], box: NDArray[np.float32], colour: tuple[int, ...]) -> None:
    cv2.rectangle(canvas, _pixel(box[:2]), _pixel(box[2:]), colour, 1)


def _pixel(point: NDArray[np.float32]) -> tuple[int, int]:
    """Whole pixels within what OpenCV can count."""
    x, y = np.clip(point, -10_000, 10_000).round().astype(int).tolist()
    return x, y
