"""Resizes images in the graph, by a factor or into a square."""

import tensorflow as tf

from retinaface_tf.structures import MEAN_RGB


def resize(image: tf.Tensor, scale: tf.Tensor | float) -> tf.Tensor:
    """Resizes an image uint8 [H, W, 3] bilinearly by a factor, to at least one pixel each way."""
    target = tf.cast(tf.round(tf.cast(tf.shape(image)[:2], tf.float64) * scale), tf.int32)
    target = tf.maximum(target, 1)
    return tf.saturate_cast(tf.round(tf.image.resize(image, target)), tf.uint8)


def scale_between(image: tf.Tensor, resized: tf.Tensor) -> tf.Tensor:
    """Returns the factors for x and y by which an image was resized, float32 [2].

    They differ slightly from the requested factor, as sides are rounded to whole pixels.

    Args:
        image: [H, W, C] before resizing, of at least one pixel.
        resized: [H, W, C] after resizing.
    """
    before, after = (tf.cast(tf.shape(each)[1::-1], tf.float64) for each in (image, resized))
    return tf.cast(after / before, tf.float32)


def letterbox(image: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Scales an image to fit into a square, and fills the rest.

    The image is at the top left; the rest has the colour that the network subtracts.

    Args:
        image: uint8 [H, W, 3], of at least one pixel.
        side: of the square, in pixels.

    Returns:
        uint8 [side, side, 3], and the scale: pixels of the square per pixel of the image along x
        and y, float32 [2].
    """
    scale = side / tf.cast(tf.reduce_max(tf.shape(image)[:2]), tf.float64)
    mean = tf.cast(MEAN_RGB, tf.int32)
    # The fill is 0 once the mean is subtracted.
    resized = resize(image, scale)
    shifted = tf.cast(resized, tf.int32) - mean
    square = tf.image.pad_to_bounding_box(shifted, 0, 0, side, side) + mean
    return tf.cast(square, tf.uint8), scale_between(image, resized)


def halve(image: tf.Tensor) -> tf.Tensor:
    """Halves an image uint8 [H, W, 3], H and W rounded up: each pixel is the mean of 2 x 2.

    If the size is odd, the last row or column counts twice.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    even = tf.pad(image, [[0, height % 2], [0, width % 2], [0, 0]], mode="SYMMETRIC")
    cells = tf.reshape(even, [(height + 1) // 2, 2, (width + 1) // 2, 2, 3])
    # Sums of a photo in float32 would take as much memory as a tile.
    upper, lower = (tf.cast(rows, tf.uint16) for rows in tf.unstack(cells, axis=1))
    left, right = tf.unstack(upper + lower, axis=2)
    return tf.cast(tf.bitwise.right_shift(left + right + 2, 2), tf.uint8)
