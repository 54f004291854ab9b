"""Replays a batch that a run has skipped and kept, with the weights of that step."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.config_file import RUN_CONFIG, load_config
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.model.losses import TERMS, Counts, Losses, MultiBoxLoss
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import SUFFIX, load_saved
from retinaface_tf.structures import Array, Batch, Faces, Predictions, Targets


@dataclass(frozen=True)
class Replay:
    """Holds the losses of a kept batch, image by image."""

    names: list[str]  # of the images [B]
    faces: NDArray[np.int64]  # in each image [B]
    losses: dict[str, NDArray[np.float64]]  # by name of the term, [B]
    gradient_norm: float

    @property
    def num_broken(self) -> int:
        """Counts the images with a loss that is not finite."""
        return int(np.count_nonzero(~np.isfinite(list(self.losses.values())).all(axis=0)))

    @property
    def is_finite(self) -> bool:
        return not self.num_broken and bool(np.isfinite(self.gradient_norm))

    def __str__(self) -> str:
        lines = []
        for i, name in enumerate(self.names):
            terms = ", ".join(f"{term} {values[i]:.4g}" for term, values in self.losses.items())
            lines.append(f"{name}: {self.faces[i]} faces, {terms}")
        lines.append(
            f"{self.num_broken} of {len(self.names)} images have a loss that is not finite"
        )
        lines.append(f"the norm of the gradient is {self.gradient_norm:.4g}")
        return "\n".join(lines)


def replay(file: Path) -> Replay:
    """Computes the losses of a kept batch with the weights kept beside it.

    Args:
        file: `bad_batches/step-N.npz` in a run's folder.

    Raises:
        InputError: the file is missing, or not one that a run kept.
    """
    names, batch = read_batch(file)
    config = load_config(file.resolve().parent.parent / RUN_CONFIG)
    losses, norm = replay_batch(read_network(file, config), batch, config)
    return Replay(names, batch.faces.valid.sum(axis=1), losses, norm)


def read_batch(file: Path) -> tuple[list[str], Batch]:
    """Reads a kept batch and the names of its images.

    Raises:
        InputError: the file is missing, or not one that a run kept.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
            faces = Faces(*(kept[name] for name in Faces._fields))
            names, images = kept["names"], kept["images"]
            _check_shapes(names, images, faces)
            return names.tolist(), Batch(images, faces, np.arange(len(names)))
    except Exception as error:  # NumPy, zipfile and zlib each raise their own for a damaged file
        reason = one_line(error)
        raise InputError(f"{file}: not a batch that a run has kept: {reason}") from None


def _check_shapes(names: Array, images: Array, faces: Faces) -> None:
    """Checks that the parts of a batch belong together.

    Raises:
        ValueError: names the part that does not fit.
    """
    batch, side = len(names), images.shape[1]
    faces_each = faces.boxes.shape[1]
    expected = {
        "images": (batch, side, side, 3),
        "boxes": (batch, faces_each, 4),
        "landmarks": (batch, faces_each, 5, 2),
        "has_landmarks": (batch, faces_each),
        "valid": (batch, faces_each),
    }
    for name, array in {"images": images, **faces._asdict()}.items():
        if array.shape != expected[name]:
            raise ValueError(f"{name} have the shape {array.shape}, expected {expected[name]}")


def read_network(file: Path, config: Config) -> keras.Model:
    """Builds the network with the weights kept beside a batch, finite or not.

    Raises:
        InputError: there are no weights, or they are for a different network than the config's.
    """
    network = build_network(config)
    load_saved(network, file.with_suffix(SUFFIX))
    return network


def replay_batch(
    network: keras.Model, batch: Batch, config: Config
) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Computes each loss term image by image, and the norm of the gradient of their sum.

    Losses are summed over anchors and not divided.

    Returns:
        The losses of each image [B], by name of the term; and the norm.
    """
    side = batch.images.shape[1]
    anchors = make_anchors(side, side, config.anchors)
    targets = make_targets(batch.faces, anchors, (side, side), config)
    with tf.GradientTape() as tape:
        predictions = Predictions(**network(batch.images, training=True))
        by_image = _losses_by_image(predictions, targets, MultiBoxLoss(config))
        total = tf.add_n([losses.total for losses in by_image])
    gradients = tape.gradient(total, [weight.value for weight in network.trainable_variables])
    by_term = {
        name: np.array([losses.terms[name].numpy() for losses in by_image], np.float64)
        for name in TERMS
    }
    return by_term, float(tf.linalg.global_norm(gradients))


def _losses_by_image(
    predictions: Predictions, targets: Targets, loss: MultiBoxLoss
) -> list[Losses]:
    undivided = Counts(tf.constant(1.0), tf.constant(1.0))
    return [
        loss(
            Predictions(*(rows[i : i + 1] for rows in predictions)),
            Targets(*(rows[i : i + 1] for rows in targets)),
            undivided,
        )
        for i in range(len(predictions.boxes))
    ]
