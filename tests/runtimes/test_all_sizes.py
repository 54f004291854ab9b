"""Faces of every size with published weights: one of 16 pixels and one as tall as a photo."""

from threading import Barrier, BrokenBarrierError

import cv2
import numpy as np
import pytest

from retinaface_tf.api import load_detector
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.detections import Detections
from retinaface_tf.geometry.passes import plan_passes
from retinaface_tf.runtimes.all_sizes import detect_all_sizes

PHOTO = "9--Press_Conference/9_Press_Conference_Press_Conference_9_141.jpg"
FACE = (248, 295, 546, 716)  # x y w h there
HEIGHT, WIDTH = 3000, 4000
SMALL = 16  # pixels
TOP = 1400  # of the small photo, at the right edge, beside the large face


@pytest.fixture(scope="module")
def photo(shared):
    """Returns 12 megapixels that a face fills from top to bottom, and the whole photo small."""
    pixels = read_image(shared / "data/widerface/val/images" / PHOTO)
    _, y, _, h = FACE
    image = np.full((HEIGHT, WIDTH, 3), 127, np.uint8)
    large = resize(pixels[y : y + h], HEIGHT / h, cv2.INTER_CUBIC)[:, :WIDTH]
    image[:, : large.shape[1]] = large
    small = resize(pixels, SMALL / h, cv2.INTER_AREA)
    height, width, _ = small.shape
    image[TOP : TOP + height, WIDTH - 8 - width : WIDTH - 8] = small
    return image


def resize(pixels, factor, interpolation):
    size = round(pixels.shape[1] * factor), round(pixels.shape[0] * factor)
    return cv2.resize(pixels, size, interpolation=interpolation)


def test_a_face_of_16_pixels_and_one_of_3000_are_found_once_each(shared, photo):
    detector = load_detector(shared / "data/weights/retinaface_mobilenet025.pth")
    faces = detector.detect(photo)
    heights = faces.boxes[:, 3] - faces.boxes[:, 1]
    np.testing.assert_allclose(sorted(heights), [SMALL, HEIGHT], rtol=0.1)
    small = faces.boxes[heights.argmin()]
    np.testing.assert_allclose(small, [3974, 1405, 3986, 1421], atol=3)
    # One pass answers with fragments of the large one.
    one_pass = Detections.of_batch(detector(photo[None]))[0].above(0.5)
    assert len(one_pass) > 3


@pytest.mark.parametrize(("width", "meet"), [(4096, True), (4098, False)])
def test_passes_are_made_at_once_over_images_that_need_no_tiles(config, width, meet):
    assert config.detector.max_pixels == 2048 * 4096
    images = np.zeros([1, 2048, width, 3], np.uint8)
    plan = plan_passes(2048, width, config)
    others = Barrier(plan.last + 1, timeout=0.5)
    met = []

    def one_pass(pixels):
        try:
            others.wait()
            met.append(True)
        except BrokenBarrierError:
            met.append(False)
        return [Detections.none() for _ in pixels]

    detect_all_sizes(one_pass, images, plan, config, config.detector, at_once=True)
    assert met == [meet] * (plan.last + 1)
