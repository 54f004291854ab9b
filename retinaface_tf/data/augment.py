"""Augments an image and its faces together, in the graph.

Two recipes: biubug6's (crops of five scales, colour; biubug6/Pytorch_Retinaface,
data/data_augment.py) and MindSpore's (crops of any scale, no colour; MindSpore's models,
research/cv/retinaface/src/augmention.py). Every random number is a function of the seed given, so
a sample is a function of its place in the data order.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.colour import jitter_colour
from retinaface_tf.data.crops import (
    choose_window_biubug6,
    choose_window_mindspore,
    crop_faces,
    drop_small_faces,
    mask_hidden_landmarks,
)
from retinaface_tf.structures import MEAN_RGB, MIRRORED_LANDMARKS, Faces

MAX_PADDED_SIDE = 4096  # pixels; a square of them in float32 takes 200 MB

# From a window int32 [4] to its pixels, uint8 [h, w, 3], and to the window that these really show:
# a decoder that reduces large images rounds it to whole pixels of the reduced image.
WindowDecoder = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Augmented(NamedTuple):
    """A training sample."""

    image: tf.Tensor  # uint8 [S, S, 3]
    faces: Faces  # fractions of the image


def augment(
    size: tf.Tensor,
    decode: WindowDecoder,
    faces: Faces,
    seed: tf.Tensor,
    recipe: str,
    image_size: int,
) -> Augmented:
    """Makes a training sample from an image, of which only the window shown gets decoded.

    Args:
        size: of the image, int32 [2], height and width.
        decode: gives the pixels of a window int32 [4], x y width height.
        faces: [G], in pixels of the image.
        seed: int64 [2].
        recipe: `biubug6` or `mindspore`.
        image_size: side of the network's input in pixels.

    Returns:
        The window, padded to a square, resized, and mirrored with even odds.
    """
    crop_seed, colour_seed, mirror_seed = tf.unstack(tf.random.split(seed, 3))
    if recipe == "biubug6":
        pixels, window = decode(choose_window_biubug6(size, faces, crop_seed))
        faces = mask_hidden_landmarks(crop_faces(faces, window), window)
        image = jitter_colour(tf.cast(pixels, tf.float32), colour_seed)
    else:
        pixels, window = decode(choose_window_mindspore(size, faces, crop_seed, image_size))
        faces = drop_small_faces(crop_faces(faces, window), window, image_size)
        image = tf.cast(pixels, tf.float32)
    side = tf.cast(tf.reduce_max(window[2:]), tf.float32)
    faces = faces._replace(boxes=faces.boxes / side, landmarks=faces.landmarks / side)
    # In range already, so the half rounds; before resizing there are fewer pixels to add it to.
    image = tf.cast(resize_to_square(image + 0.5, image_size), tf.uint8)
    is_mirrored = tf.random.stateless_uniform([], mirror_seed) < 0.5
    return tf.cond(is_mirrored, lambda: mirror(image, faces), lambda: Augmented(image, faces))


def resize_to_square(image: tf.Tensor, size: int) -> tf.Tensor:
    """Pads a float image [H, W, 3] to a square, and resizes it to [size, size, 3].

    A whole image that is so long that the square would take too much memory is resized first.
    """
    shape = tf.shape(image)[:2]
    side = tf.reduce_max(shape)
    resized = tf.cond(
        side <= MAX_PADDED_SIDE,
        lambda: tf.image.resize(pad_to_square(image), [size, size]),
        lambda: pad_to_square(tf.image.resize(image, -(-shape * size // side))),
    )
    return tf.ensure_shape(resized, [size, size, 3])


def pad_to_square(image: tf.Tensor) -> tf.Tensor:
    """Pads a float image [H, W, 3] at the right or bottom with the mean pixel."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.maximum(height, width)

    def padded() -> tf.Tensor:
        mean = tf.constant(MEAN_RGB, image.dtype)
        return tf.pad(image - mean, [[0, side - height], [0, side - width], [0, 0]]) + mean

    return tf.cond(tf.equal(height, width), lambda: image, padded)


def mirror(image: tf.Tensor, faces: Faces) -> Augmented:
    """Mirrors an image and its faces; left eyes and mouth corners become right ones.

    Args:
        image: [H, W, C].
        faces: in fractions of the image.
    """
    x1, y1, x2, y2 = tf.unstack(faces.boxes, axis=1)
    landmarks = tf.gather(faces.landmarks, MIRRORED_LANDMARKS, axis=1) * [-1.0, 1.0] + [1.0, 0.0]
    return Augmented(
        image=tf.reverse(image, [1]),
        faces=faces._replace(boxes=tf.stack([1 - x2, y1, 1 - x1, y2], axis=1), landmarks=landmarks),
    )
