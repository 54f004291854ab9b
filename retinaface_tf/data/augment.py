"""Augmentation that keeps faces and landmarks true (REFERENCE 5.1 and 5.2), in the graph.

Two recipes: biubug6's (crops of five scales, colour) and the seed's (crops of any scale, no
colour). Every random number is a function of the seed given, so a sample is a function of its
place in the data order.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.structures import MEAN_RGB, MIRRORED_LANDMARKS, Faces

CROP_TRIES = 250
BIUBUG6_SCALES = (0.3, 0.45, 0.6, 0.8, 1.0)

BRIGHTNESS, CONTRAST, SATURATION, HUE = 32.0, (0.5, 1.5), (0.5, 1.5), 18 / 180


# A window to the pixels in it, uint8 [h, w, 3], and the window of which these really are: a decoder
# that reduces large images has pixels of several of theirs.
Decode = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
# An image and an amount of change to a changed image.
Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Augmented(NamedTuple):
    image: tf.Tensor  # uint8 [S, S, 3]
    faces: Faces  # fractions of the image


def augment(
    size: tf.Tensor,
    decode: Decode,
    faces: Faces,
    seed: tf.Tensor,
    recipe: str,
    image_size: int,
) -> Augmented:
    """A training sample from an image, of which only the part that is shown gets decoded.

    Args:
        size: of the image, int32 [2], height and width.
        decode: gives the pixels of a window int32 [4], x y width height.
        faces: [G], in pixels of the image.
        seed: int64 [2].
        recipe: `biubug6` or `mindspore`.
        image_size: side of the result in pixels.
    """
    crop_seed, colour_seed, mirror_seed = tf.unstack(tf.random.split(seed, 3))
    if recipe == "biubug6":
        pixels, window = decode(choose_window(size, faces, crop_seed))
        faces = crop_faces(faces, window)
        image = jitter_colour(tf.cast(pixels, tf.float32), colour_seed)
    else:
        pixels, window = decode(choose_window_of_seed(size, faces, crop_seed, image_size))
        faces = drop_small(crop_faces(faces, window), window, image_size)
        image = tf.cast(pixels, tf.float32)
    side = tf.cast(tf.reduce_max(window[2:]), tf.float32)
    faces = faces._replace(boxes=faces.boxes / side, landmarks=faces.landmarks / side)
    # In range already, so the half rounds; before resizing there are fewer pixels to add it to.
    image = tf.image.resize(pad_to_square(image) + 0.5, [image_size, image_size])
    image = tf.cast(image, tf.uint8)
    is_mirrored = tf.random.stateless_uniform([], mirror_seed) < 0.5
    return tf.cond(is_mirrored, lambda: mirror(image, faces), lambda: Augmented(image, faces))


def choose_window(size: tf.Tensor, faces: Faces, seed: tf.Tensor) -> tf.Tensor:
    """biubug6's crop: the first of 250 squares that holds a whole face, else the whole image.

    Returns:
        int32 [4], x y width height.
    """
    scale_seed, place_seed = tf.unstack(tf.random.split(seed, 2))
    scales = tf.constant(BIUBUG6_SCALES, tf.float64)
    drawn = tf.random.stateless_uniform(
        [CROP_TRIES], scale_seed, maxval=len(BIUBUG6_SCALES), dtype=tf.int32
    )
    windows = _squares(size, tf.gather(scales, drawn), place_seed)
    holds = tf.reduce_any(_inside(windows, faces), axis=1)
    return tf.where(tf.reduce_any(holds), windows[tf.argmax(holds)], _whole(size))


def choose_window_of_seed(
    size: tf.Tensor, faces: Faces, seed: tf.Tensor, image_size: int
) -> tf.Tensor:
    """The seed's crop: one of the first two of 250 squares that hold a whole face.

    The one drawn must leave a face of more than a pixel at the network's scale; else the other
    is taken, else the whole image. Returns int32 [4], x y width height.
    """
    scale_seed, full_seed, place_seed, order_seed = tf.unstack(tf.random.split(seed, 4))
    scales = tf.random.stateless_uniform([CROP_TRIES], scale_seed, 0.3, 1.0, tf.float64)
    zoomed = tf.random.stateless_uniform([CROP_TRIES], full_seed) < 0.8
    windows = _squares(size, tf.where(zoomed, scales, 1.0), place_seed)
    holds = tf.reduce_any(_inside(windows, faces), axis=1)
    candidates = tf.boolean_mask(windows, holds)[:2]
    swapped = tf.random.stateless_uniform([], order_seed) < 0.5
    candidates = tf.cond(swapped, lambda: candidates[::-1], lambda: candidates)
    candidates = tf.concat([candidates, _whole(size)[None]], axis=0)

    def leaves_a_face(window: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(drop_small(crop_faces(faces, window), window, image_size).valid)

    usable = tf.map_fn(leaves_a_face, candidates, fn_output_signature=tf.bool)
    return tf.where(tf.reduce_any(usable), candidates[tf.argmax(usable)], _whole(size))


def _squares(size: tf.Tensor, scales: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A square window int32 [K, 4] for each scale [K] of the short side, at a random place."""
    height, width = tf.cast(size[0], tf.float64), tf.cast(size[1], tf.float64)
    side = tf.floor(scales * tf.minimum(height, width))
    place = tf.random.stateless_uniform([tf.size(scales), 2], seed, dtype=tf.float64)
    x = tf.floor(place[:, 0] * (width - side))
    y = tf.floor(place[:, 1] * (height - side))
    return tf.cast(tf.stack([x, y, side, side], axis=1), tf.int32)


def _whole(size: tf.Tensor) -> tf.Tensor:
    return tf.stack([0, 0, size[1], size[0]])


def _inside(windows: tf.Tensor, faces: Faces) -> tf.Tensor:
    """Which faces lie entirely in which windows: bool [K, G]."""
    near, far = _corners(windows[:, None])
    inside = (faces.boxes[:, :2] >= near) & (faces.boxes[:, 2:] <= far)
    return tf.reduce_all(inside, axis=-1) & faces.valid


def _corners(window: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Near and far corner [..., 2] of windows [..., 4]."""
    window = tf.cast(window, tf.float32)
    return window[..., :2], window[..., :2] + window[..., 2:]


def crop_faces(faces: Faces, window: tf.Tensor) -> Faces:
    """Faces whose centre is in the window, clipped to it and counted from its corner.

    A face of which a landmark lies outside keeps its box but trains no landmarks: the originals
    clamp such points to the border and train the wrong place.
    """
    near, far = _corners(window)
    centre = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    kept = tf.reduce_all((centre > near) & (centre < far), axis=-1) & faces.valid
    boxes, landmarks, has_landmarks = (
        tf.boolean_mask(part, kept) for part in (faces.boxes, faces.landmarks, faces.has_landmarks)
    )
    corners = tf.clip_by_value(tf.reshape(boxes, [-1, 2, 2]), near, far) - near
    shown = tf.reduce_all((landmarks >= near) & (landmarks <= far), axis=[1, 2])
    return Faces(
        boxes=tf.reshape(corners, [-1, 4]),
        landmarks=landmarks - near,
        has_landmarks=has_landmarks & shown,
        valid=tf.ones_like(has_landmarks),
    )


def drop_small(faces: Faces, window: tf.Tensor, image_size: int) -> Faces:
    """Without the faces that the resize would leave no wider or higher than a pixel."""
    side = tf.cast(tf.reduce_max(window[2:]), tf.float32)
    extent = (faces.boxes[:, 2:] - faces.boxes[:, :2]) * image_size / side
    kept = tf.reduce_all(extent > 1, axis=1)
    return Faces(*(tf.boolean_mask(part, kept) for part in faces))


def jitter_colour(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """biubug6's colours of a float32 image [H, W, 3] in 0..255: each step with even odds.

    Contrast comes before saturation and hue, or, as likely, after them. Those two are of HSV, and
    cannot leave the range.
    """
    seeds = tf.unstack(tf.random.split(seed, 9))

    def sometimes(
        image: tf.Tensor, index: int, change: Change, low: float, high: float
    ) -> tf.Tensor:
        amount = tf.random.stateless_uniform([], seeds[index], low, high)
        applied = tf.random.stateless_uniform([], seeds[index + 1]) < 0.5

        return tf.cond(applied, lambda: change(image, amount), lambda: image)

    def brighten(image: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(image + amount, 0.0, 255.0)

    def stretch(image: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
        return tf.minimum(image * amount, 255.0)

    def contrast(image: tf.Tensor) -> tf.Tensor:
        return sometimes(image, 2, stretch, *CONTRAST)

    contrast_first = tf.random.stateless_uniform([], seeds[8]) < 0.5
    image = sometimes(image, 0, brighten, -BRIGHTNESS, BRIGHTNESS)
    image = tf.cond(contrast_first, lambda: contrast(image), lambda: image)
    image = sometimes(image, 4, tf.image.adjust_saturation, *SATURATION)
    image = sometimes(image, 6, tf.image.adjust_hue, -HUE, HUE)
    return tf.cond(contrast_first, lambda: image, lambda: contrast(image))


def pad_to_square(image: tf.Tensor) -> tf.Tensor:
    """Pads a float image [H, W, 3] at the right or bottom with the mean pixel."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.maximum(height, width)

    def padded() -> tf.Tensor:
        mean = tf.constant(MEAN_RGB, image.dtype)
        return tf.pad(image - mean, [[0, side - height], [0, side - width], [0, 0]]) + mean

    return tf.cond(tf.equal(height, width), lambda: image, padded)


def mirror(image: tf.Tensor, faces: Faces) -> Augmented:
    """Mirrors an image and its faces, which are in fractions of it; left eyes become right."""
    x1, y1, x2, y2 = tf.unstack(faces.boxes, axis=1)
    landmarks = tf.gather(faces.landmarks, MIRRORED_LANDMARKS, axis=1) * [-1.0, 1.0] + [1.0, 0.0]
    return Augmented(
        image=tf.reverse(image, [1]),
        faces=faces._replace(boxes=tf.stack([1 - x2, y1, 1 - x1, y2], axis=1), landmarks=landmarks),
    )
