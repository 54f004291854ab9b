"""Chooses the images of the parity check: from the validation set, or else drawn."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.data.decode import why_undecodable
from retinaface_tf.data.header import image_kind, read_header
from retinaface_tf.data.synthetic.scenes import draw_dataset
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.wider import load_ground_truth
from retinaface_tf.export.parity import ParityCheck

log = logging.getLogger(__name__)


@contextmanager
def open_parity_check(config: Config) -> Iterator[ParityCheck]:
    """Opens a parity check on the first validation images that a served model accepts.

    `export.parity_images` is their number. Without a validation set, or if all its images are too
    large, images are drawn, and removed at the end.

    Raises:
        InputError: the validation set is broken.
    """
    if config.below_root(config.data.val_labels).exists() or config.data.drawn_val:
        check = _check_on_validation_set(config)
        if check.files:
            yield check
            return
    count = config.export.parity_images
    log.info("%s: no images for the parity check, drawing %d", config.data.root, count)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "drawn"
        draw_dataset(root, 0, count)
        drawn = replace(config, data=replace(config.data, root=str(root)))
        yield replace(_check_on_validation_set(drawn), config=config)


def _check_on_validation_set(config: Config) -> ParityCheck:
    """Takes the first images that a served model accepts as they are, and their faces."""
    fitting = (pair for pair in validation_set(config).files().items() if _fits(pair[1], config))
    files = dict(islice(fitting, config.export.parity_images))
    try:
        truth = load_ground_truth(config.ground_truth_folder)
    except InputError:
        return ParityCheck(files, None, config)
    return ParityCheck(files, truth if truth.keys() >= files.keys() else None, config)


def _fits(file: Path, config: Config) -> bool:
    """Tells whether a served model accepts an image.

    Raises:
        InputError: the image is broken.
    """
    if reason := why_undecodable(str(file)):
        raise InputError(f"{file}: cannot be decoded: {reason}")
    data = tf.io.read_file(str(file))
    height, width = read_header(data, image_kind(data)).size.numpy().tolist()
    return height * width <= config.detector.max_pixels
