"""Faces of every size with published weights: one of 16 pixels and one as tall as a photo."""

import cv2
import numpy as np
import pytest

from retinaface_tf.api import load_detector
from retinaface_tf.data.decode_host import read_image

PHOTO = "13--Interview/13_Interview_Interview_On_Location_13_246.jpg"
FACE = (228, 312, 526, 727)  # x y w h there
HEIGHT, WIDTH = 3000, 4000
SMALL = 16  # pixels
PLACE = (3600, 1400)  # x y of the small face, beside the large one


@pytest.fixture(scope="module")
def photo(shared):
    """12 megapixels, filled by a face from the first row to the last, and the same face small."""
    pixels = read_image(shared / "data/widerface/val/images" / PHOTO)
    x, y, w, h = FACE
    part = pixels[y : y + h]
    scale = HEIGHT / h
    large = cv2.resize(part, (round(part.shape[1] * scale), HEIGHT), interpolation=cv2.INTER_CUBIC)
    image = large[:, :WIDTH].copy()
    with_margin = pixels[y - h // 4 : y + h, x - w // 4 : x + w + w // 4]
    size = round(1.5 * w * SMALL / h), round(1.25 * SMALL)
    small = cv2.resize(with_margin, size, interpolation=cv2.INTER_AREA)
    image[PLACE[1] : PLACE[1] + size[1], PLACE[0] : PLACE[0] + size[0]] = small
    return image


def test_a_face_of_16_pixels_and_one_of_3000_are_found_once_each(shared, photo):
    detector = load_detector(shared / "data/weights/retinaface_mobilenet025.pth")
    faces = detector.detect(photo)
    heights = faces.boxes[:, 3] - faces.boxes[:, 1]
    order = np.argsort(heights)
    assert len(faces) == 2
    np.testing.assert_allclose(heights[order], [SMALL, HEIGHT], rtol=0.3)
    np.testing.assert_allclose(faces.boxes[order[0], :2], PLACE, atol=SMALL)
    # One pass answers with fragments of the large one.
    assert detector(photo[None]).num_detections[0] > 2
