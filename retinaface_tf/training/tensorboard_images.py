"""Draws images for TensorBoard: what a run learns from, and what it detects in validation."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from retinaface_tf.config import Config
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.drawing import Picture, draw_faces
from retinaface_tf.evaluation.average_precision import GroundTruth
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.boxes import to_corners
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.palette import ANCHOR, LABELLED
from retinaface_tf.structures import Batch

COUNT = 4  # images at a time
MIN_SCORE = 0.5  # lowest score of a detection that is drawn
MAX_SIDE = 640  # of an image in pixels


def draw_targets(batch: Batch, config: Config) -> list[Picture]:
    """Draws the first images of a batch: faces green, the anchors matched to them blue."""
    first = tf.nest.map_structure(lambda rows: rows[:COUNT], batch)
    side = config.data.image_size
    anchors = make_anchors(side, side, config.anchors)
    is_face = make_targets(first.faces, anchors, (side, side), config).is_face.numpy()
    corners = to_corners(anchors).numpy() * side
    pictures = []
    for i, image in enumerate(first.images.numpy()):
        faces = tf.nest.map_structure(lambda rows, i=i: rows[i].numpy(), first.faces)
        picture = draw_faces(image, corners[is_face[i]], colour=ANCHOR)
        landmarks = faces.landmarks[faces.has_landmarks]
        boxes = faces.boxes[faces.valid] * side
        picture = draw_faces(picture, boxes, landmarks * side, colour=LABELLED)
        pictures.append(_reduce(picture))
    return pictures


def draw_detections(
    files: Mapping[str, Path],
    truth: Mapping[str, GroundTruth],
    predictions: Mapping[str, NDArray[np.float64]],
) -> list[Picture]:
    """Draws the first images: faces green, detections red.

    Args:
        files: of the images, by name.
        truth: faces by image; the images that it names first are drawn.
        predictions: `x y w h score` [N, 5] of each image.
    """
    pictures = []
    for name in list(truth)[:COUNT]:
        image = read_image(files[name])
        found = predictions[name]
        picture = draw_faces(image, _corners(truth[name].faces), colour=LABELLED)
        picture = draw_faces(picture, _corners(found[found[:, 4] >= MIN_SCORE]))
        pictures.append(_reduce(picture))
    return pictures


def _corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Converts `x y w h` [N, 4 or more] to `x1 y1 x2 y2` [N, 4]."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]], axis=1)


def _reduce(picture: Picture) -> Picture:
    scale = MAX_SIDE / max(picture.shape)
    if scale >= 1:
        return picture
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
