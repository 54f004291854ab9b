"""Chooses the window of an image to train on, and maps faces into the window, in the graph.

A window is int32 [4], x y width height in pixels of the image.
"""

from collections.abc import Sequence

import tensorflow as tf

from retinaface_tf.structures import Faces

CROP_TRIES = 250
BIUBUG6_SCALES = (0.3, 0.45, 0.6, 0.8, 1.0)
SCRFD_SCALES = (*BIUBUG6_SCALES, 1.2, 1.4, 1.6, 1.8, 2.0)


def choose_window(
    size: tf.Tensor, faces: Faces, seed: tf.Tensor, scales: Sequence[float]
) -> tf.Tensor:
    """Chooses the first of 250 squares that holds a whole face, else the whole image.

    Squares of a scale above 1 reach beyond the image.

    Source: biubug6/Pytorch_Retinaface, data/data_augment.py, `_crop`; for SCRFD_SCALES InsightFace,
    detection/scrfd/mmdet/datasets/pipelines/transforms.py, `RandomSquareCrop`.

    Args:
        size: of the image, int32 [2], height and width.
        faces: [G], in pixels of the image.
        seed: int64 [2].
        scales: sides of squares in fractions of the short side, all equally likely.

    Returns:
        int32 [4], x y width height.
    """
    scale_seed, place_seed = tf.unstack(tf.random.split(seed, 2))
    drawn = tf.random.stateless_uniform(
        [CROP_TRIES], scale_seed, maxval=len(scales), dtype=tf.int32
    )
    windows = _squares(size, tf.gather(tf.constant(scales, tf.float64), drawn), place_seed)
    has_face = tf.reduce_any(_is_inside(faces, windows), axis=1)
    return tf.where(tf.reduce_any(has_face), windows[tf.argmax(has_face)], _whole_image(size))


def choose_window_mindspore(
    size: tf.Tensor, faces: Faces, seed: tf.Tensor, image_size: int
) -> tf.Tensor:
    """Chooses one of the first two of 250 squares that hold a whole face, else the whole image.

    The square must leave a face of more than a pixel at the network's scale; otherwise the other
    square is taken, or else the whole image.

    Source: MindSpore's models, research/cv/retinaface/src/augmention.py.

    Args:
        size: of the image, int32 [2], height and width.
        faces: [G], in pixels of the image.
        seed: int64 [2].
        image_size: side of the network's input in pixels.

    Returns:
        int32 [4], x y width height.
    """
    scale_seed, zoom_seed, place_seed, order_seed = tf.unstack(tf.random.split(seed, 4))
    scales = tf.random.stateless_uniform([CROP_TRIES], scale_seed, 0.3, 1.0, tf.float64)
    is_zoomed = tf.random.stateless_uniform([CROP_TRIES], zoom_seed) < 0.8
    windows = _squares(size, tf.where(is_zoomed, scales, 1.0), place_seed)
    has_face = tf.reduce_any(_is_inside(faces, windows), axis=1)
    candidates = tf.boolean_mask(windows, has_face)[:2]
    is_swapped = tf.random.stateless_uniform([], order_seed) < 0.5
    candidates = tf.cond(is_swapped, lambda: candidates[::-1], lambda: candidates)
    candidates = tf.concat([candidates, _whole_image(size)[None]], axis=0)

    def leaves_a_face(window: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(drop_small_faces(crop_faces(faces, window), window, image_size).valid)

    usable = tf.map_fn(leaves_a_face, candidates, fn_output_signature=tf.bool)
    return tf.where(tf.reduce_any(usable), candidates[tf.argmax(usable)], _whole_image(size))


def _squares(size: tf.Tensor, scales: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns a randomly placed square int32 [K, 4] for each scale [K] of the short side."""
    height, width = tf.cast(size[0], tf.float64), tf.cast(size[1], tf.float64)
    side = tf.floor(scales * tf.minimum(height, width))
    place = tf.random.stateless_uniform([tf.size(scales), 2], seed, dtype=tf.float64)
    x = tf.floor(place[:, 0] * (width - side))
    y = tf.floor(place[:, 1] * (height - side))
    return tf.cast(tf.stack([x, y, side, side], axis=1), tf.int32)


def _whole_image(size: tf.Tensor) -> tf.Tensor:
    return tf.stack([0, 0, size[1], size[0]])


def _is_inside(faces: Faces, windows: tf.Tensor) -> tf.Tensor:
    """Tells which faces lie entirely in which windows, bool [K, G]."""
    top_left, bottom_right = _corners(windows[:, None])
    inside = (faces.boxes[:, :2] >= top_left) & (faces.boxes[:, 2:] <= bottom_right)
    return tf.reduce_all(inside, axis=-1) & faces.valid


def _corners(window: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the top left and the bottom right corner [..., 2] of windows [..., 4]."""
    window = tf.cast(window, tf.float32)
    return window[..., :2], window[..., :2] + window[..., 2:]


def crop_faces(faces: Faces, window: tf.Tensor) -> Faces:
    """Keeps the faces whose centre is in a window, clipped to it, in pixels from its corner.

    Landmarks are not clipped, inside the window or outside.

    Args:
        faces: [G], in pixels of the image.
        window: int32 [4], x y width height.
    """
    top_left, bottom_right = _corners(window)
    centre = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    kept = tf.reduce_all((centre > top_left) & (centre < bottom_right), axis=-1) & faces.valid
    boxes, landmarks, has_landmarks = (
        tf.boolean_mask(part, kept) for part in (faces.boxes, faces.landmarks, faces.has_landmarks)
    )
    corners = tf.clip_by_value(tf.reshape(boxes, [-1, 2, 2]), top_left, bottom_right) - top_left
    return Faces(
        boxes=tf.reshape(corners, [-1, 4]),
        landmarks=landmarks - top_left,
        has_landmarks=has_landmarks,
        valid=tf.ones_like(has_landmarks),
    )


def mask_hidden_landmarks(faces: Faces, window: tf.Tensor) -> Faces:
    """Masks the landmarks of faces that have a landmark outside the window.

    Boxes stay. biubug6's recipe clamps such landmarks to the border, and so trains wrong positions
    (biubug6/Pytorch_Retinaface, data/data_augment.py, `_crop`); the recipe of MindSpore's models
    trains the true positions.

    Args:
        faces: [G], in pixels of the window.
        window: int32 [4], x y width height.
    """
    extent = tf.cast(window[2:], tf.float32)
    is_shown = tf.reduce_all((faces.landmarks >= 0) & (faces.landmarks <= extent), axis=[1, 2])
    return faces._replace(has_landmarks=faces.has_landmarks & is_shown)


def drop_small_faces(faces: Faces, window: tf.Tensor, image_size: int) -> Faces:
    """Drops faces at most a pixel wide or high when the window fills the network's input.

    Args:
        faces: [G], in pixels of the window.
        window: int32 [4], x y width height.
        image_size: side of the network's input in pixels.
    """
    side = tf.cast(tf.reduce_max(window[2:]), tf.float32)
    extent = (faces.boxes[:, 2:] - faces.boxes[:, :2]) * image_size / side
    kept = tf.reduce_all(extent > 1, axis=1)
    return Faces(*(tf.boolean_mask(part, kept) for part in faces))
