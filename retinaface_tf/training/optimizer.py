"""Implements SGD as in PyTorch and MindSpore, for which the published recipes were tuned."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import OptimizerConfig
from retinaface_tf.training.schedule import PerStep

_Gradients = Sequence[tuple[tf.Tensor, tf.Variable]]


class CoupledSGD(keras.optimizers.SGD):
    """Applies momentum to the plain gradient plus weight decay, as torch.optim.SGD does.

        v = momentum * v + gradient + weight_decay * weight
        weight = weight - learning_rate * v

    Keras' own rule multiplies the learning rate into v, which differs after every change of the
    rate, and its weight decay bypasses the momentum.
    """

    def __init__(
        self,
        rates: NDArray[np.float64],
        momentum: float,
        coupled_weight_decay: float,
        ema: float | None = None,
    ):
        """Takes the learning rate of each step [steps] and the momentum of the EMA, if any."""
        super().__init__(
            learning_rate=PerStep(rates),
            momentum=momentum,
            name="sgd",
            use_ema=ema is not None,
            ema_momentum=ema or 0.99,
        )
        self.coupled_weight_decay = coupled_weight_decay

    def build(self, variables: list[keras.Variable]) -> None:
        """Starts averages at the weights; Keras' 0 would stay if the first step were skipped."""
        super().build(variables)
        for average, variable in zip(self.averages, variables, strict=False):
            average.assign(variable)

    @property
    def averages(self) -> list[keras.Variable]:
        """Returns the moving averages of the trainable weights, in order; none without EMA."""
        averages: list[keras.Variable] = []
        if self.use_ema:
            averages += self._model_variables_moving_average
        return averages

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Updates a weight and its velocity in one operation, as each operation is a GPU launch."""
        velocity = self.momentums[self._get_variable_index(variable)].value
        gradient = tf.cast(gradient, variable.dtype)
        if self.coupled_weight_decay:
            gradient += self.coupled_weight_decay * variable
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=velocity.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=gradient,
            momentum=tf.constant(self.momentum, variable.dtype),
        )

    def _all_reduce_sum_gradients(self, grads_and_vars: _Gradients) -> _Gradients:
        """Returns gradients unchanged, as the step has summed them over replicas."""
        return grads_and_vars

    def _update_model_variables_moving_average(self, variables: list[keras.Variable]) -> None:
        """Updates the averages, which follow the weights faster at first.

        The momentum starts at 0.1, as in tf.train.ExponentialMovingAverage with a number of
        updates; otherwise the random initial weights would linger for 1 / (1 - ema) steps.
        """
        steps = tf.cast(self.iterations.value, variables[0].dtype)
        momentum = tf.minimum(tf.cast(self.ema_momentum, steps.dtype), (1 + steps) / (10 + steps))
        for average, variable in zip(self.averages, variables, strict=False):
            average.assign(momentum * average + (1 - momentum) * variable)


def copy_averaged(network: keras.Model, optimizer: CoupledSGD, copy: keras.Model) -> None:
    """Copies a network's variables, with averaged weights if the optimizer averages them.

    Args:
        network: the network in training.
        optimizer: its optimizer.
        copy: a network built with the same config, which is overwritten.
    """
    for source, target in zip(network.variables, copy.variables, strict=True):
        target.assign(source.numpy())
    for average, weight in zip(optimizer.averages, copy.trainable_variables, strict=False):
        weight.assign(average.numpy())


def make_optimizer(config: OptimizerConfig, rates: NDArray[np.float64]) -> CoupledSGD:
    """Makes the optimizer of a run with the learning rate of each step [steps]."""
    return CoupledSGD(
        rates,
        momentum=config.momentum,
        # The MindSpore original's `momentum` is its `sgd` without weight decay.
        coupled_weight_decay=config.weight_decay if config.name == "sgd" else 0.0,
        ema=config.ema,
    )
