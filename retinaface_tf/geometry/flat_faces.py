"""The faces of a batch as one list, so that matching does not depend on how they are spread."""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.structures import Faces

# Rows of padding at the end: a block of as many rows may begin at any face.
MAX_BLOCK = 256


class FlatFaces(NamedTuple):
    """The faces of all images, in their order, and rows of padding after them."""

    boxes: tf.Tensor  # float [N, 4], `x1 y1 x2 y2`
    landmarks: tf.Tensor  # float [N, 5, 2]
    has_landmarks: tf.Tensor  # bool [N]
    image: tf.Tensor  # int64 [N], number of the face's image; B in padding
    count: tf.Tensor  # int32 scalar, how many rows are faces


def flatten(faces: Faces, dtype: tf.DType) -> FlatFaces:
    """Lists the valid faces of a batch [B, G], their coordinates in the precision `dtype`.

    The list has a row for each of the batch and MAX_BLOCK more, however many are valid: a GPU
    would have to tell the host any other size.
    """
    valid = tf.convert_to_tensor(faces.valid)
    images, rows = valid.shape[0] or tf.shape(valid, tf.int64)[0], tf.size(valid)
    # Of equal values top_k takes the first, so that faces keep their order.
    order = tf.math.top_k(tf.cast(tf.reshape(valid, [-1]), tf.float32), rows).indices

    def in_order(part: tf.Tensor) -> tf.Tensor:
        """Returns a part [B, G, ...] as a list [N, ...], whose padding is 0."""
        listed = tf.gather(tf.reshape(part, [rows, *part.shape[2:]]), order)
        return tf.pad(listed, [[0, MAX_BLOCK]] + [[0, 0]] * (part.shape.rank - 2))

    # Counted from the end, so that the 0 of padding becomes B.
    from_end = tf.where(valid, tf.range(images, 0, -1, tf.int64)[:, None], 0)
    return FlatFaces(
        boxes=in_order(tf.cast(faces.boxes, dtype)),
        landmarks=in_order(tf.cast(faces.landmarks, dtype)),
        has_landmarks=in_order(tf.convert_to_tensor(faces.has_landmarks)),
        image=images - in_order(from_end),
        count=tf.reduce_sum(tf.cast(valid, tf.int32)),
    )
