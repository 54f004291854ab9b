"""Augments an image and its faces together, in the graph.

There are three recipes: biubug6's (crops at five scales, colour jitter; biubug6/Pytorch_Retinaface,
data/data_augment.py), MindSpore's (crops at any scale, no colour jitter; MindSpore's models,
research/cv/retinaface/src/augmention.py), and SCRFD's (biubug6's, with crops that also zoom out;
Guo et al. 2021, arXiv 2105.04714). All random numbers follow from the given seed, so a sample is a
function of its place in the data order.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.colour import jitter_colour
from retinaface_tf.data.crops import (
    BIUBUG6_SCALES,
    SCRFD_SCALES,
    choose_window,
    choose_window_mindspore,
    crop_faces,
    drop_small_faces,
    mask_hidden_landmarks,
)
from retinaface_tf.structures import MEAN_RGB, MIRRORED_LANDMARKS, Faces

MAX_PADDED_SIDE = 4096  # pixels; a square of this side in float32 takes 200 MB

# Takes a window int32 [4] and the pixels that suffice for its longer side; returns its pixels,
# uint8 [h, w, 3], and the window that they actually show, which a decoder that reduces large
# images rounds to whole pixels of the reduced image.
WindowDecoder = Callable[[tf.Tensor, int | tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Source(NamedTuple):
    """Holds an image that is not decoded yet."""

    size: tf.Tensor  # int32 [2], height and width
    decode: WindowDecoder
    faces: Faces  # [G], in pixels of the image


class Augmented(NamedTuple):
    """Holds a training sample, or what a recipe returns before mirroring."""

    image: tf.Tensor  # uint8 [S, S, 3]
    faces: Faces  # fractions of the image


def augment(source: Source, seed: tf.Tensor, recipe: str, image_size: int) -> Augmented:
    """Makes a training sample from an image, decoding only the window that the sample shows.

    Args:
        source: the image.
        seed: int64 [2].
        recipe: a key of RECIPES.
        image_size: side of the network's input in pixels.

    Returns:
        The window, padded to a square, resized, and mirrored with probability 1/2.
    """
    crop_seed, colour_seed, mirror_seed = tf.unstack(tf.random.split(seed, 3))
    sample = RECIPES[recipe](source, crop_seed, colour_seed, image_size)
    is_mirrored = tf.random.stateless_uniform([], mirror_seed) < 0.5
    return tf.cond(is_mirrored, lambda: mirror(*sample), lambda: sample)


def crop_biubug6(
    source: Source, crop_seed: tf.Tensor, colour_seed: tf.Tensor, image_size: int
) -> Augmented:
    """Crops a square of 0.3 to 1 of the short side, and jitters colours."""
    window = choose_window(source.size, source.faces, crop_seed, BIUBUG6_SCALES)
    pixels, window = source.decode(window, image_size)
    faces = mask_hidden_landmarks(crop_faces(source.faces, window), window)
    image = jitter_colour(tf.cast(pixels, tf.float32), colour_seed)
    return _fill_square(image, faces, window, image_size)


def crop_mindspore(
    source: Source, crop_seed: tf.Tensor, _: tf.Tensor, image_size: int
) -> Augmented:
    """Crops a square of 0.3 to 1 of the short side, and keeps colours."""
    window = choose_window_mindspore(source.size, source.faces, crop_seed, image_size)
    pixels, window = source.decode(window, image_size)
    faces = drop_small_faces(crop_faces(source.faces, window), window, image_size)
    return _fill_square(tf.cast(pixels, tf.float32), faces, window, image_size)


def crop_scrfd(
    source: Source, crop_seed: tf.Tensor, colour_seed: tf.Tensor, image_size: int
) -> Augmented:
    """Crops a square of 0.3 to 2 of the short side, with padding, and jitters colours."""
    window = choose_window(source.size, source.faces, crop_seed, SCRFD_SCALES)
    side = tf.reduce_max(window[2:])
    window = tf.concat([window[:2], [side, side]], axis=0)  # also for a whole image
    first = tf.maximum(window[:2], 0)
    visible = tf.minimum(window[:2] + side, source.size[::-1]) - first
    suffice = -(-tf.reduce_max(visible) * image_size // side)
    pixels, shown = source.decode(tf.concat([first, visible], axis=0), suffice)
    image = jitter_colour(tf.cast(pixels, tf.float32), colour_seed)
    faces = mask_hidden_landmarks(crop_faces(source.faces, window), window)
    return _as_sample(place(image + 0.5, shown, window, image_size), faces, side)


# To add a recipe, add an entry here and its name to the config's choices.
RECIPES = {"biubug6": crop_biubug6, "mindspore": crop_mindspore, "scrfd": crop_scrfd}


def place(image: tf.Tensor, shown: tf.Tensor, window: tf.Tensor, size: int) -> tf.Tensor:
    """Places pixels where they belong in a square window, and resizes the window.

    Args:
        image: float32 [h, w, 3], the pixels of `shown`.
        shown: int32 [4], x y width height of what the pixels show, inside the window.
        window: int32 [4], x y width height, a square.
        size: side of the result in pixels.

    Returns:
        float32 [size, size, 3], the mean pixel where nothing is shown.
    """
    scale = size / tf.cast(window[2], tf.float32)
    extent = tf.cast(shown[2:], tf.float32) / tf.cast(tf.shape(image)[1::-1], tf.float32)
    offset = tf.cast(shown[:2] - window[:2], tf.float32)
    mean = tf.constant(MEAN_RGB, tf.float32)
    placed = tf.raw_ops.ScaleAndTranslate(
        images=(image - mean)[None],
        size=[size, size],
        scale=(extent * scale)[::-1],
        translation=(offset * scale)[::-1],
        kernel_type="triangle",
        antialias=False,
    )
    return tf.ensure_shape(placed[0] + mean, [size, size, 3])


def _fill_square(image: tf.Tensor, faces: Faces, window: tf.Tensor, image_size: int) -> Augmented:
    """Pads a window to a square at the right or bottom, and resizes the square."""
    return _as_sample(resize_to_square(image + 0.5, image_size), faces, tf.reduce_max(window[2:]))


def _as_sample(image: tf.Tensor, faces: Faces, side: tf.Tensor) -> Augmented:
    """Truncates pixels to whole numbers, and divides faces by the side of the square shown.

    Recipes round by adding 0.5 before they resize, while there are fewer pixels.
    """
    side = tf.cast(side, tf.float32)
    faces = faces._replace(boxes=faces.boxes / side, landmarks=faces.landmarks / side)
    return Augmented(tf.cast(image, tf.uint8), faces)


def resize_to_square(image: tf.Tensor, size: int) -> tf.Tensor:
    """Pads a float image [H, W, 3] to a square, and resizes it to [size, size, 3].

    An image so long that the square would take too much memory is resized first.
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
    """Mirrors an image and its faces; left and right eyes and mouth corners swap names.

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
