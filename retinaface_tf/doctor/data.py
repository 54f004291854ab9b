"""Examines a data set before training: images, labels, and what anchors can match."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.decode import why_undecodable
from retinaface_tf.data.records import find_faults
from retinaface_tf.data.widerface import read_records
from retinaface_tf.doctor import checks
from retinaface_tf.doctor.diagnosis import Diagnosis, SplitDiagnosis
from retinaface_tf.doctor.findings import Finding, Split
from retinaface_tf.doctor.inspection import find_alike, inspect_images, is_flat
from retinaface_tf.errors import InputError
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.boxes import to_corners
from retinaface_tf.geometry.matcher import best_overlaps

# Bits of 256 in which fingerprints of the same picture may differ. Of 202 WIDER FACE images, all
# stayed within this limit when halved and saved at JPEG quality 50, or made grey; 99 % when saved
# at quality 30 or brightened; 46 % when cropped by 2 %. The two most similar of 1,102 different
# images differ in 66 bits.
SAME_PICTURE_BITS = 32


def examine(config: Config) -> Diagnosis:
    """Examines train and val below `data.root`; one of them may be missing.

    Raises:
        InputError: both are missing, or labels cannot be parsed or evaluated.
    """
    start = time.perf_counter()
    names = {"train": config.data.train_labels, "val": config.data.val_labels}
    files = {name: config.below_root(labels) for name, labels in names.items()}
    if not any(file.exists() for file in files.values()):
        expected = " or ".join(map(str, files.values()))
        raise InputError(f"{config.data.root}: no labels there, expected {expected}")
    splits = {name: _inspect(name, file) for name, file in files.items() if file.exists()}
    findings = {name: _find(split) for name, split in splits.items()}
    if len(splits) == 2:
        findings["train"].extend(_find_overlap(splits["train"], splits["val"]))
    diagnoses = [
        SplitDiagnosis(split, findings[name], _matchable(split, config))
        for name, split in splits.items()
    ]
    return Diagnosis(config, diagnoses, time.perf_counter() - start)


def _inspect(name: str, label_file: Path) -> Split:
    records = read_records(label_file, keep_flat=True)
    if name == "val":
        records.files()  # refused here, as evaluation would refuse it
    paths = [str(records.path(i)) for i in range(len(records))]
    return Split(name, records, inspect_images(paths, name))


def _find(split: Split) -> list[Finding]:
    return [
        *checks.check_images(split, _unreadable(split)),
        *checks.check_boxes(split),
        *checks.check_duplicates(split),
        *checks.check_landmarks(split),
    ]


def _unreadable(split: Split) -> dict[int, str]:
    """Returns why images cannot be read, by index."""
    faults = find_faults(split.records)
    for i in np.flatnonzero(~split.images.readable).tolist():
        if i not in faults:
            reason = why_undecodable(str(split.records.path(i)))
            faults[i] = f"cannot be decoded: {reason}"
    return faults


def _matchable(split: Split, config: Config) -> NDArray[np.bool_]:
    """Tells which faces [N] an anchor can match when the network sees the whole image.

    Training pads images to squares and resizes them to `data.image_size`; crops also show faces
    larger. Faces without area, and faces in images that cannot be read, count as matchable.
    """
    side = split.images.sizes.max(axis=1)[split.image_of_face]
    boxes = split.records.boxes
    unknown = (side == 0) | (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    fractions = tf.constant(boxes / np.maximum(side, 1)[:, None], tf.float32)
    anchors = make_anchors(config.data.image_size, config.data.image_size, config.anchors)
    needed = min(config.match.iou, config.match.min_best_iou)
    return unknown | (best_overlaps(fractions, to_corners(anchors)).numpy() >= needed)


def _find_overlap(train: Split, val: Split) -> Iterator[Finding]:
    """Finds images of train that are also in val, even in another size or saved again.

    Pictures with a plain background are not compared: their fingerprints are so flat that different
    ones look alike.
    """
    train_rows, val_rows = _comparable(train), _comparable(val)
    pairs = find_alike(
        train.images.fingerprints[train_rows],
        val.images.fingerprints[val_rows],
        max_bits=SAME_PICTURE_BITS,
    )
    for i, j in pairs:
        other = int(val_rows[j])
        text = f"looks like {val.records.images[other]}, {val.records.where(other)}"
        yield Finding("overlap", int(train_rows[i]), None, text, val.records.path(other))


def _comparable(split: Split) -> NDArray[np.int64]:
    """Returns the indices of the images whose fingerprints can be compared."""
    flat = is_flat(split.images.fingerprints, SAME_PICTURE_BITS)
    return np.flatnonzero(split.images.readable & ~flat)
