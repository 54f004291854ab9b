"""Computes learning rates as plain arrays, one value per step, as the originals do."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config

# Warm-up of the MindSpore original's standard_lr: from a tenth of the rate, by 10 ** 0.2 an epoch.
WARMUP_START, WARMUP_FACTOR = 0.1, 1.5849


def learning_rates(config: Config, steps_per_epoch: int) -> NDArray[np.float64]:
    """Computes the learning rate of every step of the run [epochs * steps_per_epoch]."""
    if config.schedule.lr_type == "dynamic_lr":
        return _dynamic(config, steps_per_epoch)
    if config.schedule.lr_type == "cosine":
        return _cosine(config, steps_per_epoch)
    per_epoch = _standard(config) if config.schedule.lr_type == "standard_lr" else _steps(config)
    return np.repeat(per_epoch, steps_per_epoch)


def _dynamic(config: Config, steps_per_epoch: int) -> NDArray[np.float64]:
    """Computes a linear warm-up from a third of the rate, then a cosine.

    As in the MindSpore original, the cosine starts after the warm-up but is stretched over the
    whole run, so it ends a little above zero.
    """
    base = config.optimizer.learning_rate
    warmup = config.schedule.warmup_epochs * steps_per_epoch
    total = config.train.epochs * steps_per_epoch
    step = np.arange(total)
    rising = base / 3 + (base - base / 3) * step / max(warmup, 1)
    falling = base * (1 + np.cos(np.pi * (step - warmup) / total)) / 2
    return np.where(step < warmup, rising, falling)


def _cosine(config: Config, steps_per_epoch: int) -> NDArray[np.float64]:
    """Computes a linear warm-up from zero, then a cosine that ends at zero.

    Source: Loshchilov and Hutter 2017 (arXiv 1608.03983), without restarts.
    """
    warmup = config.schedule.warmup_epochs * steps_per_epoch
    total = config.train.epochs * steps_per_epoch
    step = np.arange(total)
    rising = (step + 1) / max(warmup, 1)
    falling = (1 + np.cos(np.pi * (step - warmup) / max(total - warmup, 1))) / 2
    return config.optimizer.learning_rate * np.where(step < warmup, rising, falling)


def _standard(config: Config) -> NDArray[np.float64]:
    """Computes the MindSpore original's rate of each epoch.

    The original counts epochs from 1: the first decay applies from its epoch on, later decays from
    the epoch after theirs.
    """
    schedule, base = config.schedule, config.optimizer.learning_rate
    epoch = np.arange(1, config.train.epochs + 1)
    first, *later = schedule.decay_epochs or (config.train.epochs + 1,)
    decays = (epoch >= first).astype(int) + sum((epoch > e).astype(int) for e in later)
    rising = WARMUP_START * base * WARMUP_FACTOR ** (epoch - 1)
    return np.where(epoch <= schedule.warmup_epochs, rising, base * schedule.gamma**decays)


def _steps(config: Config) -> NDArray[np.float64]:
    """Computes biubug6's rate of each epoch: a decay after each epoch listed, no warm-up."""
    epoch = np.arange(config.train.epochs)
    decays = np.searchsorted(sorted(config.schedule.decay_epochs), epoch, side="right")
    return config.optimizer.learning_rate * np.float64(config.schedule.gamma) ** decays


class PerStep(keras.optimizers.schedules.LearningRateSchedule):
    """Looks up the rate of a step; past the end, the last rate applies."""

    def __init__(self, rates: NDArray[np.float64]):
        self.rates = tf.constant(rates, tf.float32)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        last = tf.size(self.rates) - 1
        # A slice would make XLA compile the step anew at every step, as the start of a slice is a
        # constant of the compiled code.
        return tf.gather(self.rates, tf.minimum(tf.cast(step, tf.int32), last))

    def get_config(self) -> dict[str, NDArray[np.float32]]:
        return {"rates": self.rates.numpy()}
