"""SGD as PyTorch and MindSpore have it, on which the published recipes were tuned."""

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

    Keras' own rule keeps the learning rate inside v, which differs after every change of the
    rate, and its weight decay goes past the momentum.
    """

    def __init__(
        self,
        rates: NDArray[np.float64],
        momentum: float,
        coupled_weight_decay: float,
        ema: float | None = None,
    ):
        """Takes the learning rate of each step [steps] and the EMA's momentum, if any."""
        super().__init__(
            learning_rate=PerStep(rates),
            momentum=momentum,
            name="sgd",
            use_ema=ema is not None,
            ema_momentum=ema or 0.99,
        )
        self.coupled_weight_decay = coupled_weight_decay

    def build(self, variables: list[keras.Variable]) -> None:
        """Starts averages as the weights; Keras' 0 would stay if the first step is skipped."""
        super().build(variables)
        for average, variable in zip(self.averages, variables, strict=False):
            average.assign(variable)

    @property
    def averages(self) -> list[keras.Variable]:
        """Returns the moving averages of the trainable weights in order; empty without EMA."""
        averages: list[keras.Variable] = []
        if self.use_ema:
            averages += self._model_variables_moving_average
        return averages

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Moves a weight and its velocity in one operation, as each is a launch on a GPU."""
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
        """Leaves gradients as they are: the step has summed them over replicas."""
        return grads_and_vars

    def _update_model_variables_moving_average(self, variables: list[keras.Variable]) -> None:
        """Moves the averages, which follow young weights faster.

        The momentum starts at a tenth, as tf.train.ExponentialMovingAverage has it where it knows
        the number of updates; what random weights leave would stay for 1 / (1 - ema) steps.
        """
        steps = tf.cast(self.iterations.value, variables[0].dtype)
        momentum = tf.minimum(tf.cast(self.ema_momentum, steps.dtype), (1 + steps) / (10 + steps))
        for average, variable in zip(self.averages, variables, strict=False):
            average.assign(momentum * average + (1 - momentum) * variable)


def copy_averaged(network: keras.Model, optimizer: CoupledSGD, copy: keras.Model) -> None:
    """Copies a network's variables, its weights averaged where the optimizer averages.

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
        # The MindSpore original's `momentum` is its `sgd` without the decay.
        coupled_weight_decay=config.weight_decay if config.name == "sgd" else 0.0,
        ema=config.ema,
    )
