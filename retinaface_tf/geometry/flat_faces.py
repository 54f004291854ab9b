"""Lists the faces of a batch, so that matching does not depend on their spread over images."""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.structures import Faces

# Rows of padding at the end, so that a block of this many rows may begin at any face.
MAX_BLOCK = 256


class FlatFaces(NamedTuple):
    """Holds the faces of all images in order, then rows of padding."""

    boxes: tf.Tensor  # float [N, 4], `x1 y1 x2 y2`
    landmarks: tf.Tensor  # float [N, 5, 2]
    has_landmarks: tf.Tensor  # bool [N]
    image: tf.Tensor  # int64 [N], number of the face's image; B in padding
    count: tf.Tensor  # int32 scalar, how many rows are faces


def flatten(faces: Faces, dtype: tf.DType) -> FlatFaces:
    """Lists the valid faces of a batch [B, G], their coordinates in the precision `dtype`.

    The list has B * G + MAX_BLOCK rows, however many are valid: a GPU would have to tell the host
    any other size.
    """
    valid = tf.convert_to_tensor(faces.valid)
    images, rows = valid.shape[0] or tf.shape(valid, tf.int64)[0], tf.size(valid)
    # top_k takes the first of equal values, so that faces keep their order.
    order = tf.math.top_k(tf.cast(tf.reshape(valid, [-1]), tf.float32), rows).indices

    def in_order(part: tf.Tensor) -> tf.Tensor:
        """Returns a part [B, G, ...] as a list [N, ...], whose padding is 0."""
        listed = tf.gather(tf.reshape(part, [rows, *part.shape[2:]]), order)
        padding = tf.zeros([MAX_BLOCK, *part.shape[2:]], part.dtype)
        return tf.concat([listed, padding], axis=0)  # tf.pad of bool and int64 has no GPU kernel

    # Counted from the end, so that the 0 of padding becomes B.
    from_end = tf.where(valid, tf.range(images, 0, -1, tf.int64)[:, None], 0)
    return FlatFaces(
        boxes=in_order(tf.cast(faces.boxes, dtype)),
        landmarks=in_order(tf.cast(faces.landmarks, dtype)),
        has_landmarks=in_order(tf.convert_to_tensor(faces.has_landmarks)),
        image=images - in_order(from_end),
        count=tf.reduce_sum(tf.cast(valid, tf.int32)),
    )
