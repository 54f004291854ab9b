"""One training step, the same on one device and on many."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.model.losses import Counts, MultiBoxLoss, count_positives
from retinaface_tf.structures import Batch, Predictions
from retinaface_tf.training.optimizer import CoupledSGD

# What a step tells: losses, and the number of positive anchors, of the global batch.
METRICS = ("loss", "loss/boxes", "loss/scores", "loss/landmarks", "positives")
INPUT_WAIT = "input_wait"  # and several steps, how many seconds they waited for their batches


class TrainStep:
    """Targets, forward, loss, backward, update over all replicas of a strategy.

    Losses are divided by the positives of the global batch and gradients summed, so N replicas
    do what one device does with the whole batch.
    """

    def __init__(
        self,
        network: keras.Model,
        optimizer: CoupledSGD,
        config: Config,
        strategy: tf.distribute.Strategy,
        batch_spec: Any,
    ):
        """Takes what the step works on.

        Args:
            network: built in the strategy's scope.
            optimizer: built for it, in the same scope.
            config: of anchors, matching, loss, clipping.
            strategy: whose replicas share a batch.
            batch_spec: `element_spec` of the distributed dataset of `Batch`; its open number of
                faces makes one trace serve the whole run.
        """
        self.network, self.optimizer, self.config = network, optimizer, config
        self.strategy = strategy
        self.loss = MultiBoxLoss(config.loss)
        self.anchors = make_anchors(config.data.image_size, config.data.image_size, config.anchors)
        self.forward = _forward(network, compiled=config.train.xla)
        self.run = tf.function(self._global_step, input_signature=[batch_spec])
        self.run_several = tf.function(self._several_steps)

    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Trains on a global batch; returns its METRICS."""
        return self.run(batch)

    def several(self, batches: Any, count: int) -> dict[str, tf.Tensor]:
        """Trains on the next `count` batches without coming back to Python between them.

        Args:
            batches: an iterator of the distributed dataset.
            count: at least 1.

        Returns:
            The METRICS of the last batch, and INPUT_WAIT of all.
        """
        return self.run_several(batches, tf.constant(count))

    def _several_steps(self, batches: Any, count: tf.Tensor) -> dict[str, tf.Tensor]:
        dtype = self.network.outputs[0].dtype
        metrics = {name: tf.zeros([], dtype) for name in METRICS}
        waited = tf.zeros([], tf.float64)
        for _ in tf.range(count):
            before = tf.timestamp()
            with tf.control_dependencies([before]):
                batch = next(batches)
            with tf.control_dependencies(
                list(self.strategy.experimental_local_results(batch.sample))
            ):
                waited += tf.timestamp() - before
            metrics = self._global_step(batch)
        return metrics | {INPUT_WAIT: waited}

    def _global_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        shares = self.strategy.run(self._replica_step, args=(batch,))
        return {name: self.strategy.reduce("SUM", shares[name], axis=None) for name in METRICS}

    def _replica_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """This replica's share: losses that add up to the batch's over all replicas."""
        context = tf.distribute.get_replica_context()
        targets = make_targets(batch.faces, self.anchors, self.config.anchors, self.config.match)
        mine = count_positives(targets)
        counts = Counts(*context.all_reduce("SUM", list(mine)))
        with tf.GradientTape() as tape:
            predictions = Predictions(**self.forward(batch.images))
            losses = self.loss(predictions, targets, counts)
        weights = self.network.trainable_variables
        gradients = tape.gradient(losses.total, [weight.value for weight in weights])
        self._update(context.all_reduce("SUM", gradients))
        return {
            "loss": losses.total,
            "loss/boxes": losses.boxes,
            "loss/scores": losses.scores,
            "loss/landmarks": losses.landmarks,
            "positives": tf.cast(mine.faces, losses.total.dtype),
        }

    def _update(self, gradients: list[tf.Tensor]) -> None:
        """Applies gradients that are already summed over replicas.

        They are summed before clipping, since Keras would clip each replica's own; as Keras then
        sums once more, each hands in its part.
        """
        if self.config.optimizer.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self.config.optimizer.clip_norm)
        replicas = self.strategy.num_replicas_in_sync
        self.optimizer.apply(
            [gradient / replicas for gradient in gradients], self.network.trainable_variables
        )


def _forward(network: keras.Model, *, compiled: bool) -> Callable[[tf.Tensor], dict[str, Any]]:
    """The network in training, of which XLA compiles the way forward and back if it is asked to.

    Matching, mining and the choice of positives have sizes that XLA cannot know.
    """

    def forward(images: tf.Tensor) -> dict[str, Any]:
        return network(images, training=True)

    return tf.function(forward, jit_compile=True) if compiled else forward
