"""The images on which an export has to answer as its source does, before it becomes a version."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.data.decode import why_undecodable
from retinaface_tf.data.header import image_kind, read_header
from retinaface_tf.data.synthetic.scenes import draw_dataset
from retinaface_tf.errors import DoesNotHold, InputError
from retinaface_tf.evaluation.average_precision import GroundTruth
from retinaface_tf.evaluation.wider import load_ground_truth
from retinaface_tf.export.parity import DetectFile, Parity, Tolerance, compare

log = logging.getLogger(__name__)


class Gate(NamedTuple):
    """Images by name, their faces where they are known, and how the source answers about them."""

    reference: DetectFile
    files: Mapping[str, Path]
    truth: Mapping[str, GroundTruth] | None
    config: Config

    def check(self, name: str, other: DetectFile, tolerance: Tolerance) -> Parity:
        """Compares an export with its source, and tells.

        Args:
            name: what is compared, for the log.
            other: the export's answer.
            tolerance: what may lie between the two.

        Raises:
            DoesNotHold: more lies between them.
        """
        parity = compare(self.reference, other, self.files, self.config, tolerance, self.truth)
        log.info("%s: %s", name, parity)
        if not parity.holds(tolerance):
            raise DoesNotHold(
                f"{name}: answers otherwise than its source, expected at most "
                f"{tolerance.pixels:g} px and {tolerance.score:g} in score apart, and no boxes of "
                f"one alone but at a threshold's edge; no version was written"
            )
        return parity


@contextmanager
def open_gate(reference: DetectFile, config: Config) -> Iterator[Gate]:
    """The first `export.parity_images` images of the validation set that a served model takes.

    Without a validation set, or where all are too large, it is drawn ones.

    Raises:
        InputError: the validation set is broken.
    """
    count = config.export.parity_images
    if config.below_root(config.data.val_labels).exists() or config.data.drawn_val:
        files, truth = _images(config, count)
        if files:
            yield Gate(reference, files, truth, config)
            return
    log.info("%s: no image to compare by, drawing %d", config.data.root, count)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "drawn"
        draw_dataset(root, 0, count)
        drawn = replace(config, data=replace(config.data, root=str(root)))
        yield Gate(reference, *_images(drawn, count), config)


def _images(config: Config, count: int) -> tuple[dict[str, Path], dict[str, GroundTruth] | None]:
    """The first images that a served model answers about as they are, and their faces."""
    fitting = (pair for pair in validation_set(config).files().items() if _fits(pair[1], config))
    files = dict(islice(fitting, count))
    try:
        truth = load_ground_truth(config.ground_truth_folder)
    except InputError:
        return files, None
    return files, truth if truth.keys() >= files.keys() else None


def _fits(file: Path, config: Config) -> bool:
    """Whether a served model takes the image; a broken one is named."""
    if reason := why_undecodable(str(file)):
        raise InputError(f"{file}: cannot be decoded: {reason}")
    data = tf.io.read_file(str(file))
    height, width = read_header(data, image_kind(data)).size.numpy().tolist()
    return height * width <= config.detector.max_pixels


def check_limits(config: Config) -> None:
    """Refuses a config without limits, which evaluation wants and a served answer cannot have.

    Raises:
        InputError: it is one.
    """
    limits = config.detector
    if limits.top_k is None or limits.max_detections is None:
        raise InputError(
            "detector.top_k and detector.max_detections: expected numbers, as a served answer has "
            f"a fixed size, found {limits.top_k} and {limits.max_detections}"
        )
