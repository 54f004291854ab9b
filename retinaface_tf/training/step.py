"""Makes training steps, the same on one device and on many."""

from typing import NamedTuple

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.model.losses import TERMS, Counts, Losses, MultiBoxLoss, count_positives
from retinaface_tf.structures import Batch, Faces, Predictions, Targets
from retinaface_tf.training.optimizer import CoupledSGD

# Scalars of the global batch that a step returns, by name: the losses, the number of positive
# anchors, the norm of all gradients together. If any is not finite, the step was skipped.
TERM_METRICS = {name: f"loss/{name}" for name in TERMS}
METRICS = ("loss", *TERM_METRICS.values(), "positives", "gradient_norm")
# Name scopes of operations, for profiles.
PARTS = TARGETS, NETWORK, LOSS, UPDATE = "targets", "network", "loss", "update"
INPUT_WAIT = "input_wait"  # seconds that a step waited for its batch; 0 in deterministic runs


class _LossesAndGradients(NamedTuple):
    losses: Losses
    gradients: list[tf.Tensor]  # of the total, by the trainable weights


class _ReplicaResult(NamedTuple):
    """Holds the outcome of one replica's forward and backward pass."""

    metrics: dict[str, tf.Tensor]  # METRICS; their sums over replicas are those of the global batch
    gradients: list[tf.Tensor]  # summed over all replicas
    statistics: list[tf.Tensor]  # of batch norm, as they were before


class TrainStep:
    """Runs targets, forward, loss, backward and update over all replicas of a strategy.

    Losses are divided by the positives of the global batch and gradients are summed, so that N
    replicas do what one device does with the whole batch.
    """

    def __init__(
        self,
        network: keras.Model,
        optimizer: CoupledSGD,
        config: Config,
        strategy: tf.distribute.Strategy,
        batch_spec: Batch,
    ):
        """Builds the step of a network on a strategy's replicas.

        Args:
            network: built in the strategy's scope.
            optimizer: built for the network, in the same scope.
            config: anchors, matching, loss, clipping, micro-batches.
            strategy: its replicas share a batch.
            batch_spec: `element_spec` of the distributed dataset of `Batch`; as it leaves the
                number of faces open, one trace serves the whole run.
        """
        self.network, self.optimizer, self.config = network, optimizer, config
        self.strategy = strategy
        self.loss = MultiBoxLoss(config)
        self.anchors = make_anchors(config.data.image_size, config.data.image_size, config.anchors)
        self.run = tf.function(
            self._global_step,
            autograph=False,
            input_signature=[batch_spec],
            jit_compile=config.train.xla or None,  # once for each number of faces: TrainingData
        )
        self.run_several = tf.function(self._several_steps, autograph=False)

    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Trains on a global batch and returns its METRICS."""
        return self.run(batch)

    def several(self, batches: tf.data.Iterator, count: int) -> dict[str, tf.Tensor]:
        """Trains on the next `count` batches without returning to Python between them.

        Args:
            batches: an iterator of the distributed dataset.
            count: at least 1.

        Returns:
            METRICS and INPUT_WAIT of each step [count].
        """
        return self.run_several(batches, tf.constant(count))

    def _several_steps(self, batches: tf.data.Iterator, count: tf.Tensor) -> dict[str, tf.Tensor]:
        dtype = self.network.outputs[0].dtype
        step = self.run if self.config.train.xla else self._global_step

        def add(
            number: tf.Tensor, metrics: tf.TensorArray, waits: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
            before = self._clock()
            with tf.control_dependencies([before]):
                batch = batches.get_next()
            with tf.control_dependencies(
                list(self.strategy.experimental_local_results(batch.sample))
            ):
                waits = waits.write(number, self._clock() - before)
            return number + 1, metrics.write(number, tf.stack(list(step(batch).values()))), waits

        _, metrics, waits = tf.while_loop(
            lambda number, *_: number < count,
            add,
            (
                tf.constant(0),
                tf.TensorArray(dtype, count, element_shape=[len(METRICS)]),
                tf.TensorArray(tf.float64, count, element_shape=[]),
            ),
        )
        columns = tf.unstack(metrics.stack(), len(METRICS), axis=1)
        return dict(zip(METRICS, columns, strict=True)) | {INPUT_WAIT: waits.stack()}

    def _clock(self) -> tf.Tensor:
        """Returns the time in seconds; 0 in deterministic runs, where TensorFlow has no clock."""
        return tf.constant(0.0, tf.float64) if self.config.train.deterministic else tf.timestamp()

    def _global_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        result = self.strategy.run(self._forward_and_backward, args=(batch,))
        with tf.name_scope(UPDATE):
            metrics = {
                name: self.strategy.reduce("SUM", result.metrics[name], axis=None)
                for name in METRICS
            }
            # The sums are equal on all replicas. Replicas that took different branches would wait
            # for each other for ever.
            norm = metrics["gradient_norm"]
            tf.cond(
                tf.reduce_all(tf.math.is_finite(list(metrics.values()))),
                lambda: self.strategy.run(self._update, args=(result.gradients, norm)),
                lambda: self.strategy.run(self._skip, args=(result.statistics,)),
            )
        return metrics

    def _forward_and_backward(self, batch: Batch) -> _ReplicaResult:
        """Computes losses and gradients, and so updates the statistics of batch norm."""
        context = tf.distribute.get_replica_context()
        with tf.name_scope(UPDATE):
            statistics = [tf.identity(v.value) for v in self.network.non_trainable_variables]
        with tf.name_scope(TARGETS):
            targets = self._make_targets(batch.faces)
        with tf.name_scope(LOSS):
            local = count_positives(targets)
            counts = Counts(*context.all_reduce("SUM", list(local)))
        losses, gradients = self._accumulate(batch.images, targets, counts)
        with tf.name_scope(UPDATE):
            gradients = context.all_reduce("SUM", gradients)
            norm = tf.linalg.global_norm(gradients)
        metrics = {
            "loss": losses.total,
            **{metric: losses.terms[name] for name, metric in TERM_METRICS.items()},
            "positives": tf.cast(local.faces, losses.total.dtype),
            "gradient_norm": norm / context.num_replicas_in_sync,
        }
        return _ReplicaResult(metrics, gradients, statistics)

    def _make_targets(self, faces: Faces) -> Targets:
        # A constant of the graph, so that what depends on the anchors alone is computed once. In
        # the network's precision, so that a step in float64 is the same however it is compiled.
        anchors = tf.constant(self.anchors.numpy(), self.network.outputs[0].dtype)
        side = self.config.data.image_size
        return make_targets(faces, anchors, (side, side), self.config)

    def _accumulate(
        self, images: tf.Tensor, targets: Targets, counts: Counts
    ) -> _LossesAndGradients:
        """Sums losses and gradients over this replica's micro-batches, one after the other.

        All are divided by the positives of the global batch, so that the sum is what the replica
        would compute at once, except that each micro-batch has its own batch norm statistics.
        """
        parts = self.config.train.accumulate
        size = (images.shape[0] or tf.shape(images)[0]) // parts

        def part(number: int) -> tuple[tf.Tensor, Targets]:
            # tf.split of bool has no GPU kernel.
            rows = slice(number * size, (number + 1) * size)
            return tf.nest.map_structure(lambda whole: whole[rows], (images, targets))

        first, *rest = map(part, range(parts))
        summed = self._differentiate(*first, counts)
        for images, rows in rest:
            with tf.control_dependencies(tf.nest.flatten(summed)):  # else all are in memory at once
                images = tf.identity(images)
            result = self._differentiate(images, rows, counts)
            summed = tf.nest.map_structure(tf.add, summed, result)
        return summed

    def _differentiate(
        self, images: tf.Tensor, targets: Targets, counts: Counts
    ) -> _LossesAndGradients:
        weights = [weight.value for weight in self.network.trainable_variables]
        with tf.GradientTape() as tape:
            with tf.name_scope(NETWORK):
                predictions = Predictions(**self.network(images, training=True))
            with tf.name_scope(LOSS):
                losses = self.loss(predictions, targets, counts)
        return _LossesAndGradients(losses, tape.gradient(losses.total, weights))

    def _update(self, gradients: list[tf.Tensor], norm: tf.Tensor) -> None:
        """Clips and applies gradients.

        Gradients are summed over replicas before clipping, where Keras would clip each replica's
        own.

        Args:
            gradients: summed over replicas.
            norm: of all gradients together.
        """
        clip = self.config.optimizer.clip_norm
        if clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, clip, norm)
        self.optimizer.apply(gradients, self.network.trainable_variables)

    def _skip(self, statistics: list[tf.Tensor]) -> None:
        """Restores the statistics of batch norm; the step still counts, as its data are used up."""
        for variable, before in zip(self.network.non_trainable_variables, statistics, strict=True):
            variable.assign(before)
        self.optimizer.iterations.assign_add(1)
