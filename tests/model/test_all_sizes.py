"""Faces of every size in one image: found once each, in the graph as on the host."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from bright_cells import ANCHORS_OF_SQUARES, BrightSquares

from retinaface_tf.config import DetectorConfig
from retinaface_tf.model.all_sizes import AllSizesDetector
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.tiling import TiledDetector
from retinaface_tf.runtimes.network import NetworkDetector

CELL = 16
SIDE = 2048  # of an image's short side: a cell of the last pass


@pytest.fixture(scope="module")
def setting(config):
    """Passes that reach up to 40 pixels, in tiles of 4,000,000."""
    limits = DetectorConfig(score_threshold=0.5, max_pixels=4_000_000)
    return replace(config, anchors=ANCHORS_OF_SQUARES, detector=limits)


@pytest.fixture(scope="module")
def image():
    """Returns 12.6 megapixels with a face of 16 pixels and one as tall as the image."""
    pixels = np.zeros((SIDE, 3 * SIDE, 3), np.uint8)
    pixels[:, SIDE : 2 * SIDE] = 180
    pixels[160:176, 320:336] = 190
    return pixels


def assert_both(boxes, scores):
    np.testing.assert_allclose(scores, [0.95, 0.9], rtol=1e-6)
    expected = [[320, 160, 336, 176], [SIDE, 0, 2 * SIDE, SIDE]]
    np.testing.assert_allclose(boxes, expected, atol=1e-2)


def test_the_smallest_and_the_largest_face_of_a_photo_are_found_once_each(setting, image):
    detector = NetworkDetector(BrightSquares(CELL), setting)
    assert detector.plan_passes(*image.shape[:2]) == (0, 7)
    faces = detector.detect(image)
    assert_both(faces.boxes, faces.scores)
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    np.testing.assert_allclose(faces.landmarks, centres[:, None].repeat(5, 1), atol=1e-2)


def test_the_graph_finds_them_too(setting, image):
    detector = AllSizesDetector(TiledDetector(GraphDetector(BrightSquares(CELL), setting)))
    found = detector(tf.constant(image), tf.constant(0.5), tf.constant(0.4))
    assert found.num_detections == [2]
    assert_both(found.boxes[0, :2], found.scores[0, :2])


def test_one_pass_answers_with_fragments_of_the_large_face(setting, image):
    found = NetworkDetector(BrightSquares(CELL), setting)(image[None])
    assert found.num_detections[0] > 100


def test_a_pass_that_is_not_wanted_is_not_made(setting, image):
    large = replace(setting, detector=replace(setting.detector, min_face=64))
    faces = NetworkDetector(BrightSquares(CELL), large).detect(image)
    np.testing.assert_allclose(faces.boxes, [[SIDE, 0, 2 * SIDE, SIDE]], atol=1e-2)
    small = replace(setting, detector=replace(setting.detector, max_face=40))
    assert NetworkDetector(BrightSquares(CELL), small).detect(image).scores[0] == pytest.approx(
        0.95
    )


DETECT_50_MEGAPIXELS = """
import resource
import sys
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from retinaface_tf.config import Config, ModelConfig
from retinaface_tf.model.network import build_network
from retinaface_tf.runtimes.network import NetworkDetector
from retinaface_tf.serving.signatures import Service

config = Config(model=ModelConfig(backbone="mobilenet025"))
detector = NetworkDetector(build_network(config), config)
small = np.random.default_rng(0).integers(0, 256, (615, 820, 3), np.uint8)
file = Path(sys.argv[1]) / "photo.jpg"
cv2.imwrite(str(file), cv2.resize(small, (8200, 6150)))
del small
if sys.argv[2] == "host":
    detector.detect(file)
else:
    answer = Service(detector.graph).serving_default(tf.constant([file.read_bytes()]))
    assert answer["error"] == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["host", "graph"])
def test_a_jpeg_of_50_megapixels_takes_the_memory_of_tiles(command, tmp_path, where):
    done = command("-c", DETECT_50_MEGAPIXELS, tmp_path, where)
    assert done.returncode == 0, done.stderr
    kibibytes = int(done.stdout)
    assert kibibytes < 4 * 2**20
