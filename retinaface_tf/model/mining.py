"""Mines the highest costs of each image without sorting them.

Only the device knows how many costs an image wants, but the host has to know the size of what an
operation returns. So the lowest wanted cost is found digit by digit, as in a radix sort from the
highest digit, and every cost is compared with it.
"""

import tensorflow as tf

DIGIT_BITS = 16
DIGITS = 2**DIGIT_BITS


def mine(costs: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Selects the highest costs of each image; of equal costs, the first.

    Args:
        costs: float32 or float64 [B, A], at least 0; NaN ranks highest.
        wanted: how many of each image, float32 [B]; if it has fewer, all are selected.

    Returns:
        bool [B, A].
    """
    rank = _rank(costs)
    missing = wanted[:, None]
    is_mined, is_candidate = tf.zeros_like(rank, tf.bool), tf.ones_like(rank, tf.bool)
    for shift in reversed(range(0, 8 * costs.dtype.size, DIGIT_BITS)):
        digit = tf.bitwise.bitwise_and(tf.bitwise.right_shift(rank, shift), DIGITS - 1)
        last, missing = _last_digit(digit, is_candidate, missing)
        is_mined |= is_candidate & (digit < last)
        is_candidate &= digit == last
    place = tf.cumsum(tf.cast(is_candidate, tf.float32), axis=1)
    return is_mined | (is_candidate & (place <= missing))


def _rank(costs: tf.Tensor) -> tf.Tensor:
    """Returns an integer for each cost, lower for higher costs, int64 [B, A].

    Numbers of at least 0 are in the order of their bits. The integers have 64 bits because
    TensorFlow compares 32-bit integers on the host and would copy them from the GPU.
    """
    integer = tf.int32 if costs.dtype == tf.float32 else tf.int64
    bits = tf.bitcast(tf.abs(costs), integer)  # a NaN may have a sign
    return integer.max - tf.cast(bits, tf.int64)


def _last_digit(
    digit: tf.Tensor, is_candidate: tf.Tensor, wanted: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the digit of each image's last wanted candidate.

    Args:
        digit: of each cost, int64 [B, A].
        is_candidate: which costs count, bool [B, A].
        wanted: how many candidates, float32 [B, 1].

    Returns:
        The digit, int64 [B, 1], -1 if none is wanted; and how many are still wanted after those
        with a lower digit, float32 [B, 1].
    """
    # Counts are floats, exact up to 2**24.
    count = tf.raw_ops.DenseBincount(
        input=digit, size=DIGITS, weights=tf.cast(is_candidate, tf.float32)
    )
    before = tf.cumsum(count, axis=1, exclusive=True)  # candidates with a lower digit
    is_wanted = before < wanted
    last = tf.reduce_sum(tf.cast(is_wanted, tf.float32), axis=1, keepdims=True) - 1
    taken = tf.reduce_max(tf.where(is_wanted, before, 0.0), axis=1, keepdims=True)
    return tf.cast(last, tf.int64), wanted - taken
