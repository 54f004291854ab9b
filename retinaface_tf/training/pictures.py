"""Pictures of what a run learns from and of what it finds, for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.decode import decode_image
from retinaface_tf.evaluation.average_precision import GroundTruth
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.boxes import to_corners
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.structures import Batch

COUNT = 4  # pictures at a time
LEAST_SCORE = 0.5  # of a detection that is drawn
LONGEST_SIDE = 640  # of a picture in pixels
GREEN, BLUE, RED = (0, 220, 0), (60, 120, 255), (255, 40, 40)  # faces, anchors, detections

Picture = NDArray[np.uint8]


def picture_targets(batch: Batch, config: Config) -> list[Picture]:
    """The first images of a batch: faces with landmarks, and the anchors that answer for them."""
    first = tf.nest.map_structure(lambda part: part[:COUNT], batch)
    side = config.data.image_size
    anchors = make_anchors(side, side, config.anchors)
    is_face = make_targets(first.faces, anchors, config.anchors, config.match).is_face.numpy()
    corners = to_corners(anchors).numpy() * side
    pictures = []
    for i, image in enumerate(first.images.numpy()):
        faces = tf.nest.map_structure(lambda part, i=i: part[i].numpy(), first.faces)
        picture = _draw(image, corners[is_face[i]], BLUE)
        picture = _draw(picture, faces.boxes[faces.valid] * side, GREEN)
        for x, y in (faces.landmarks[faces.has_landmarks] * side).reshape(-1, 2):
            cv2.circle(picture, (round(float(x)), round(float(y))), 1, GREEN, -1)
        pictures.append(_reduce(picture))
    return pictures


def picture_detections(
    files: Mapping[str, Path],
    truth: Mapping[str, GroundTruth],
    predictions: Mapping[str, NDArray[np.float64]],
) -> list[Picture]:
    """The first images with their faces, and what was detected, `x y w h score` [N, 5] each."""
    pictures = []
    for name in list(truth)[:COUNT]:
        image = decode_image(tf.io.read_file(str(files[name]))).numpy()
        found = predictions[name]
        picture = _draw(image, _corners(truth[name].faces), GREEN)
        picture = _draw(picture, _corners(found[found[:, 4] >= LEAST_SCORE]), RED)
        pictures.append(_reduce(picture))
    return pictures


def _corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `x y w h` [N, 4 or more], `x1 y1 x2 y2`."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]], axis=1)


def _draw(image: Picture, boxes: NDArray[np.floating], colour: tuple[int, int, int]) -> Picture:
    picture = image.copy()
    for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, max(1, max(image.shape) // 500))
    return picture


def _reduce(picture: Picture) -> Picture:
    scale = LONGEST_SIDE / max(picture.shape)
    if scale >= 1:
        return picture
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
