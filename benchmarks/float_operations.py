"""Counts the floating-point operations of a TensorFlow function."""

from collections.abc import Callable
from typing import Any


def count(function: Callable[[], Any]) -> int:
    """Returns the floating-point operations of a call, by TensorFlow's profiler."""
    import tensorflow as tf

    graph = tf.function(function).get_concrete_function().graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
