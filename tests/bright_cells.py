"""A network whose answer can be told by looking at the image."""

import numpy as np
import tensorflow as tf

from retinaface_tf.config import STRIDES, AnchorConfig

# One anchor per cell of each level, which is the cell itself.
ANCHORS_OF_CELLS = AnchorConfig(sizes=((8,), (16,), (32,)))
# Passes over an image reach from 8 to 28 pixels, the last to any size.
ANCHORS_OF_SQUARES = AnchorConfig(sizes=((4,), (16,), (32,)))


class BrightCells:
    """Finds a face in each cell of one level, as probable as the cell's corner is bright.

    Cells are `cell` pixels wide, a stride of the network; the other levels have no face. A corner
    as bright as `certain` would be a face for sure; brighter there must be none.
    """

    variables = ()

    def __init__(self, cell, certain=200):
        self.cell, self.certain = cell, certain

    def __call__(self, images, training):
        assert not training
        face = tf.concat([self._face(images, stride) for stride in STRIDES], axis=1)
        return {
            "boxes": tf.zeros([*tf.unstack(tf.shape(face)), 4]),
            "logits": tf.math.log(tf.stack([1 - face, face], axis=-1)),
            "landmarks": tf.zeros([*tf.unstack(tf.shape(face)), 5, 2]),
        }

    def _face(self, images, stride):
        """Returns probability of a face in the cells of a level, [B, rows * columns]."""
        corners = images[:, ::stride, ::stride, 0]
        certain = self.certain if stride == self.cell else np.inf
        return tf.reshape(tf.cast(corners, tf.float32) / certain, [tf.shape(images)[0], -1])


class BrightSquares(BrightCells):
    """Finds a face in each cell of one level, as probable as all of the cell is bright."""

    def _face(self, images, stride):
        cells = tf.nn.avg_pool2d(tf.cast(images[..., :1], tf.float32), stride, stride, "SAME")
        certain = self.certain if stride == self.cell else np.inf
        return tf.reshape(cells / certain, [tf.shape(images)[0], -1])


def thousand_faces(cell):
    """Returns an image [1, 32 * cell, 32 * cell, 3] of 1,000 faces and 24 cells without.

    Also the 750 best scores, best first, for a network that is certain at 256.
    """
    brightness = np.random.default_rng(1).permutation(1024) % 250 + 5
    brightness[1000:] = 0
    cells = brightness.astype(np.uint8).reshape(32, 32)
    image = np.kron(cells, np.ones((cell, cell), np.uint8))[None, ..., None].repeat(3, axis=-1)
    return image, np.sort(brightness)[::-1][:750] / 256
