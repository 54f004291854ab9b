"""Examines a data set before it is trained on: images, labels, and what anchors can reach."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.decode import why_undecodable
from retinaface_tf.data.records import Records, find_faults
from retinaface_tf.data.widerface import read_records
from retinaface_tf.doctor import checks
from retinaface_tf.doctor.checks import Finding, Half
from retinaface_tf.doctor.diagnosis import Diagnosis, Patient
from retinaface_tf.doctor.inspection import Looks, find_alike, is_flat, look_at
from retinaface_tf.errors import InputError
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.boxes import to_corners
from retinaface_tf.geometry.matcher import best_overlaps

# Of 256. Of 202 images of WIDER FACE made half as large and saved at JPEG quality 50, or made grey,
# all stayed within; of those at quality 30 or brighter, 99 %; of those cropped by 2 %, 46 %. The
# nearest two different images of 1,102 differ in 66.
SAME_PICTURE_BITS = 32


def examine(config: Config) -> Diagnosis:
    """Examines train and val below `data.root`, of which one may be missing.

    Raises:
        InputError: both are missing, or labels cannot be parsed.
    """
    start = time.perf_counter()
    names = {"train": config.data.train_labels, "val": config.data.val_labels}
    files = {name: config.below_root(labels) for name, labels in names.items()}
    if not any(file.exists() for file in files.values()):
        expected = " or ".join(map(str, files.values()))
        raise InputError(f"{config.data.root}: no labels there, expected {expected}")
    patients = [_examine(*item, config) for item in files.items() if item[1].exists()]
    if len(patients) == 2:
        patients[0].findings.extend(_overlap(*(patient.half for patient in patients)))
    return Diagnosis(config, patients, time.perf_counter() - start)


def _examine(name: str, label_file: Path, config: Config) -> Patient:
    records = read_records(label_file, keep_flat=True)
    half = Half(name, records, look_at([str(records.path(i)) for i in range(len(records))], name))
    findings = [
        *checks.check_images(half, _why_unreadable(records, half.looks)),
        *checks.check_boxes(half),
        *checks.check_duplicates(half),
        *checks.check_landmarks(half),
    ]
    return Patient(half, findings, _reached(half, config))


def _why_unreadable(records: Records, looks: Looks) -> dict[int, str]:
    faults = find_faults(records)
    for i in np.flatnonzero(~looks.readable).tolist():
        if i not in faults:
            faults[i] = f"cannot be decoded: {why_undecodable(str(records.path(i)))}"
    return faults


def _reached(half: Half, config: Config) -> NDArray[np.bool_]:
    """Which faces [N] an anchor can answer for where the network sees the whole image.

    Training pads images to squares and brings them to `data.image_size`; its crops also show
    faces larger. Faces of images that cannot be read, or without area, count as reached.
    """
    side = half.looks.sizes.max(axis=1)[half.owners]
    boxes = half.records.boxes
    unknown = (side == 0) | (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    fractions = tf.constant(boxes / np.maximum(side, 1)[:, None], tf.float32)
    anchors = make_anchors(config.data.image_size, config.data.image_size, config.anchors)
    needed = min(config.match.iou, config.match.min_best_iou)
    return unknown | (best_overlaps(fractions, to_corners(anchors)).numpy() >= needed)


def _overlap(train: Half, val: Half) -> Iterator[Finding]:
    """Images of train that val has too, be it in another size or saved anew.

    Pictures before a plain background are not compared: so flat, different ones look alike.
    """
    ours, theirs = (
        np.flatnonzero(half.looks.readable & ~is_flat(half.looks.fingerprints, SAME_PICTURE_BITS))
        for half in (train, val)
    )
    prints = train.looks.fingerprints[ours], val.looks.fingerprints[theirs]
    for i, j in find_alike(*prints, most_bits=SAME_PICTURE_BITS):
        twin = int(theirs[j])
        text = f"looks like {val.records.images[twin]}, {val.records.where(twin)}"
        yield Finding("overlap", int(ours[i]), None, text, val.records.path(twin))
