"""Defines the types that pass from one stage to the next.

Shape letters: `B` batch, `A` anchors, `G` faces (the largest count in the batch), `D` detections,
`H W C` image. Boxes are `x1 y1 x2 y2` everywhere. The five landmarks are, as seen in the image:
left eye, right eye, nose, left mouth corner, right mouth corner.
"""

from typing import Any, NamedTuple

# A tf.Tensor or a NumPy array; `Any`, since this module sits below TensorFlow.
Array = Any

LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner")
# Mirroring an image swaps left and right, also in the names of landmarks.
MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)
# ImageNet's mean, which the originals subtract; padding of this colour is 0 to the network.
MEAN_RGB = (123, 117, 104)


class Faces(NamedTuple):
    """Holds ground truth.

    Coordinates are pixels of the image until augmentation ends, and fractions of the network's
    input (0..1) from there on, as the box coder expects them. A batch pads every image to the
    largest number of faces in it; `valid` tells faces from padding.
    """

    boxes: Array  # float32 [..., G, 4]
    landmarks: Array  # float32 [..., G, 5, 2], meaningless where has_landmarks is False
    has_landmarks: Array  # bool [..., G]
    valid: Array  # bool [..., G]


class Batch(NamedTuple):
    """Holds what the host sends to a device."""

    images: Array  # uint8 [B, H, W, 3], RGB
    faces: Faces
    sample: Array  # int64 [B], position in the training set, to name the images of a bad batch


class Targets(NamedTuple):
    """Holds what the network is trained towards, per anchor."""

    boxes: Array  # float32 [B, A, 4], encoded; 0 where is_face is False
    landmarks: Array  # float32 [B, A, 5, 2], encoded; meaningless where has_landmarks is False
    is_face: Array  # bool [B, A]
    has_landmarks: Array  # bool [B, A], a subset of is_face


class Predictions(NamedTuple):
    """Holds what the network returns, per anchor."""

    boxes: Array  # float [B, A, 4], encoded
    logits: Array  # float [B, A, 2], background then face
    landmarks: Array  # float [B, A, 5, 2], encoded


class DetectionBatch(NamedTuple):
    """Holds the detections of a batch of images as tensors, for graphs and exported models.

    They are the result of decoding and NMS, best score first; rows past `num_detections` are 0.
    `D` is the same for all images of the batch. See `detections.Detections` for one image.

    Examples:
        >>> DetectionBatch._fields
        ('boxes', 'scores', 'landmarks', 'num_detections')
    """

    boxes: Array  # float32 [B, D, 4], pixels of the image given
    scores: Array  # float32 [B, D]
    landmarks: Array  # float32 [B, D, 5, 2], pixels of the image given
    num_detections: Array  # int32 [B]
