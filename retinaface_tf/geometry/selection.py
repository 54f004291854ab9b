"""Selects anchors without a tensor size that depends on data."""

import math

import tensorflow as tf


def select_rows(chosen: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns the values [B, A, ...] of the anchors in `chosen` [B, A], and 0 for the others.

    Values that are not chosen may be infinite or NaN, also in the gradient. tf.where, which has to
    broadcast `chosen`, takes ten times as long on a CPU.
    """
    rows = tf.reshape(values, [-1, math.prod(values.shape[2:])])
    kept = tf.raw_ops.Select(condition=tf.reshape(chosen, [-1]), x=rows, y=tf.zeros_like(rows))
    return tf.reshape(kept, tf.shape(values))
