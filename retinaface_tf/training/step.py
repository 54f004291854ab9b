"""One training step, the same on one device and on many."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.model.losses import Counts, Losses, MultiBoxLoss, count_positives
from retinaface_tf.structures import Batch, Predictions, Targets
from retinaface_tf.training.optimizer import CoupledSGD

# What a step tells of the global batch: losses, number of positive anchors, norm of all gradients
# together. A step of which any is not finite was skipped.
METRICS = ("loss", "loss/boxes", "loss/scores", "loss/landmarks", "positives", "gradient_norm")
INPUT_WAIT = "input_wait"  # and how many seconds it waited for the batch, if clocks are allowed


class _Share(NamedTuple):
    """What a replica has once it went forward and back."""

    metrics: dict[str, tf.Tensor]  # they add up to the batch's over all replicas
    gradients: list[tf.Tensor]  # summed over all replicas
    statistics: list[tf.Tensor]  # of batch norm, as they were before


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
            METRICS and INPUT_WAIT of each step [count].
        """
        return self.run_several(batches, tf.constant(count))

    def _several_steps(self, batches: Any, count: tf.Tensor) -> dict[str, tf.Tensor]:
        dtype = self.network.outputs[0].dtype
        metrics = tf.TensorArray(dtype, count, element_shape=[len(METRICS)])
        waits = tf.TensorArray(tf.float64, count, element_shape=[])
        for number in tf.range(count):
            before = self._clock()
            with tf.control_dependencies([before]):
                batch = next(batches)
            with tf.control_dependencies(
                list(self.strategy.experimental_local_results(batch.sample))
            ):
                waits = waits.write(number, self._clock() - before)
            metrics = metrics.write(number, tf.stack(list(self._global_step(batch).values())))
        every = tf.unstack(metrics.stack(), len(METRICS), axis=1)
        return dict(zip(METRICS, every, strict=True)) | {INPUT_WAIT: waits.stack()}

    def _clock(self) -> tf.Tensor:
        """Seconds; where every run must be the same, TensorFlow forbids to look at the clock."""
        return tf.constant(0.0, tf.float64) if self.config.train.deterministic else tf.timestamp()

    def _global_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        share = self.strategy.run(self._learn, args=(batch,))
        metrics = {
            name: self.strategy.reduce("SUM", share.metrics[name], axis=None) for name in METRICS
        }
        # Sums are the same on all replicas. Did these choose differently, they would wait for each
        # other for ever.
        if tf.reduce_all(tf.math.is_finite(list(metrics.values()))):
            self.strategy.run(self._update, args=(share.gradients, share.metrics["gradient_norm"]))
        else:
            self.strategy.run(self._skip, args=(share.statistics,))
        return metrics

    def _learn(self, batch: Batch) -> _Share:
        """Goes forward, which moves the statistics of batch norm, and back."""
        context = tf.distribute.get_replica_context()
        statistics = [tf.identity(value.value) for value in self.network.non_trainable_variables]
        targets = make_targets(batch.faces, self.anchors, self.config.anchors, self.config.match)
        mine = count_positives(targets)
        counts = Counts(*context.all_reduce("SUM", list(mine)))
        losses, gradients = self._differentiate(batch.images, targets, counts)
        gradients = context.all_reduce("SUM", gradients)
        metrics = {
            "loss": losses.total,
            "loss/boxes": losses.boxes,
            "loss/scores": losses.scores,
            "loss/landmarks": losses.landmarks,
            "positives": tf.cast(mine.faces, losses.total.dtype),
            "gradient_norm": tf.linalg.global_norm(gradients) / context.num_replicas_in_sync,
        }
        return _Share(metrics, gradients, statistics)

    def _differentiate(
        self, images: tf.Tensor, targets: Targets, counts: Counts
    ) -> tuple[Losses, list[tf.Tensor]]:
        """Losses of this replica's share and their gradients, summed part by part.

        All parts are divided by the positives of the whole global batch, so that their sum is what
        the share would give at once, but for the statistics of batch norm, which are each part's.
        """
        weights = [weight.value for weight in self.network.trainable_variables]
        split = tf.nest.map_structure(
            lambda whole: tf.split(whole, self.config.train.accumulate), (images, targets)
        )
        summed: list[tf.Tensor] = []
        for images, *rest in zip(split[0], *split[1], strict=True):
            with tf.control_dependencies(summed):  # else all parts are in memory at once
                images = tf.identity(images)
            with tf.GradientTape() as tape:
                predictions = Predictions(**self.forward(images))
                losses = self.loss(predictions, Targets(*rest), counts)
            part = [*losses, *tape.gradient(losses.total, weights)]
            summed = [a + b for a, b in zip(summed, part, strict=True)] if summed else part
        count = len(Losses._fields)
        return Losses(*summed[:count]), summed[count:]

    def _update(self, gradients: list[tf.Tensor], norm: tf.Tensor) -> None:
        """Applies gradients that are summed over replicas, whose norm is `norm` on each.

        They are summed before clipping, since Keras would clip each replica's own; as Keras then
        sums once more, each hands in its part.
        """
        replicas = self.strategy.num_replicas_in_sync
        clip = self.config.optimizer.clip_norm
        if clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, clip, norm * replicas)
        self.optimizer.apply(
            [gradient / replicas for gradient in gradients], self.network.trainable_variables
        )

    def _skip(self, statistics: list[tf.Tensor]) -> None:
        """Undoes what going forward did; the step counts all the same, since its data are used."""
        for variable, before in zip(self.network.non_trainable_variables, statistics, strict=True):
            variable.assign(before)
        self.optimizer.iterations.assign_add(1)


def _forward(network: keras.Model, *, compiled: bool) -> Callable[[tf.Tensor], dict[str, Any]]:
    """The network in training, of which XLA compiles the way forward and back if it is asked to.

    Matching, mining and the choice of positives have sizes that XLA cannot know.
    """

    def forward(images: tf.Tensor) -> dict[str, Any]:
        return network(images, training=True)

    return tf.function(forward, jit_compile=True) if compiled else forward
