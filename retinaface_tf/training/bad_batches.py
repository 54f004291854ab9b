"""Steps that were skipped, as their loss or gradient was not finite: told, kept, and bounded."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.pipeline import images_of_batches, training_batches
from retinaface_tf.data.records import Records
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.model.loading import SUFFIX, save_weights
from retinaface_tf.model.losses import Counts, MultiBoxLoss
from retinaface_tf.model.network import build_network
from retinaface_tf.structures import Batch, Faces, Predictions, Targets
from retinaface_tf.training.checkpoint import save_config
from retinaface_tf.training.step import METRICS

FOLDER = "bad_batches"  # in the workdir
MOST_KEPT = 10

log = logging.getLogger(__name__)


class BadBatches:
    """Looks through what steps told for those that were skipped."""

    def __init__(
        self, config: Config, records: Records, network: keras.Model, *, keeps: bool = True
    ):
        """Keeps nothing unless `keeps`: of several workers, one does."""
        self.config, self.records, self.network = config, records, network
        self.keeps = keeps
        self.folder = Path(config.train.workdir) / FOLDER
        self.count = 0
        self.in_a_row = 0  # up to the last step seen

    def examine(self, first: int, metrics: Mapping[str, NDArray[np.float64]]) -> None:
        """Tells of each skipped step its images and what was not finite, and keeps its batch.

        Args:
            first: number of the first of these steps, from 1.
            metrics: METRICS of each step [count].

        Raises:
            InputError: `train.max_bad_steps` in a row were skipped.
        """
        table = np.stack([metrics[name] for name in METRICS], axis=1)
        for step, row in enumerate(table, start=first):
            if np.isfinite(row).all():
                self.in_a_row = 0
                continue
            self.count += 1
            self.in_a_row += 1
            told = ", ".join(
                f"{name} {value}"
                for name, value in zip(METRICS, row, strict=True)
                if not np.isfinite(value)
            )
            log.warning("step %d skipped: %s; %s", step, told, self._keep(step))
            if self.in_a_row >= self.config.train.max_bad_steps:
                raise InputError(
                    f"{self.config.train.workdir}: {self.in_a_row} steps in a row were not finite; "
                    f"the last checkpoint is kept, try a lower optimizer.learning_rate"
                )

    def _keep(self, step: int) -> str:
        """Names the images of a step, whose number brings its batch back, and keeps that.

        What goes wrong here is told and ends nothing.
        """
        order: dict[str, Any] = {
            "batch": self.config.train.global_batch,
            "seed": self.config.train.seed,
            "start": step - 1,
        }
        indices = images_of_batches(len(self.records), **order, batches=1)
        names = [str(self.records.images[i]) for i in indices]
        told = f"its images are {', '.join(names)}"
        file = self.folder / f"step-{step}.npz"
        if not self.keeps or len(list(self.folder.glob("*.npz"))) >= MOST_KEPT:
            return told
        try:
            batch = next(iter(training_batches(self.records, self.config.data, **order).take(1)))
            self.folder.mkdir(parents=True, exist_ok=True)
            faces = {name: part.numpy() for name, part in batch.faces._asdict().items()}
            np.savez_compressed(file, images=batch.images.numpy(), names=names, **faces)
            save_weights(self.network, file.with_suffix(SUFFIX))
            save_config(self.config)
        except (OSError, InputError, tf.errors.OpError) as error:
            return f"{told}; they could not be kept: {error}"
        return f"{told}; look with: python -m retinaface_tf.doctor replay {file}"


def read_batch(file: Path) -> tuple[list[str], Batch]:
    """A batch that was kept, and the names of its images.

    Raises:
        InputError: no such file, or not one that a run kept.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
            faces = Faces(*(kept[name] for name in Faces._fields))
            return kept["names"].tolist(), Batch(kept["images"], faces, np.arange(len(faces[0])))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, AttributeError) as error:
        reason = one_line(error)[:120]
        raise InputError(f"{file}: not a batch that a run has kept: {reason}") from None


def read_network(file: Path, config: Config) -> keras.Model:
    """The network with the weights kept beside a batch, finite or not."""
    network = build_network(config)
    network.load_weights(file.with_suffix(SUFFIX))
    return network


def replay_batch(
    network: keras.Model, batch: Batch, config: Config
) -> tuple[dict[str, NDArray[Any]], float]:
    """Boxes', scores' and landmarks' loss of each image [B], and the norm of their sum's gradient.

    Losses are summed over anchors and divided by nothing.
    """
    side = config.data.image_size
    anchors = make_anchors(side, side, config.anchors)
    targets = make_targets(batch.faces, anchors, config.anchors, config.match)
    loss, one = MultiBoxLoss(config.loss), Counts(tf.constant(1.0), tf.constant(1.0))
    with tf.GradientTape() as tape:
        predictions = Predictions(**network(batch.images, training=True))
        every = [
            loss(
                Predictions(*(part[i : i + 1] for part in predictions)),
                Targets(*(part[i : i + 1] for part in targets)),
                one,
            )
            for i in range(len(batch.images))
        ]
        total = tf.add_n([losses.total for losses in every])
    gradients = tape.gradient(total, [weight.value for weight in network.trainable_variables])
    by_image = {
        name: np.array([float(getattr(losses, name)) for losses in every])
        for name in ("boxes", "scores", "landmarks")
    }
    return by_image, float(tf.linalg.global_norm(gradients))
