"""Makes ground truth of boxes alone, for tests of matching."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.structures import Faces


def faces_of_boxes(images: Sequence[NDArray[np.float32]]) -> Faces:
    """Returns a batch of images with these boxes [faces, 4] each, and no landmarks."""
    most = max(map(len, images))
    return Faces(
        boxes=np.stack([np.pad(boxes, ((0, most - len(boxes)), (0, 0))) for boxes in images]),
        landmarks=np.zeros((len(images), most, 5, 2), np.float32),
        has_landmarks=np.zeros((len(images), most), bool),
        valid=np.array([np.arange(most) < len(boxes) for boxes in images]),
    )
