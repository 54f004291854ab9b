"""Passes over an image: how many, and which of their detections are believed."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from retinaface_tf.config import AnchorConfig, DetectorConfig
from retinaface_tf.geometry.passes import Plan, plan_passes, select_detections

# Height and width of an image; the sizes of faces wanted; the first and the last pass. By the
# default anchors a pass reaches up to 640 pixels.
PLANS = [
    ((1, 1), {}, (0, 0)),
    ((480, 640), {}, (0, 0)),
    ((640, 640), {}, (0, 0)),
    ((641, 641), {}, (0, 1)),
    ((768, 1024), {}, (0, 1)),
    ((1024, 768), {}, (0, 1)),
    ((1080, 1920), {}, (0, 2)),  # a face 1,080 high may be 1,620 wide
    ((100, 10_000), {}, (0, 0)),
    ((3000, 4000), {}, (0, 3)),  # 12 megapixels
    ((6000, 8000), {}, (0, 4)),  # 48 megapixels
    ((3000, 4000), {"max_face": 640}, (0, 0)),
    ((3000, 4000), {"max_face": 641}, (0, 1)),
    ((3000, 4000), {"min_face": 31}, (0, 3)),
    ((3000, 4000), {"min_face": 32}, (1, 3)),
    ((3000, 4000), {"min_face": 64}, (2, 3)),
    ((3000, 4000), {"min_face": 9999}, (3, 3)),
    ((3000, 4000), {"min_face": 32, "max_face": 640}, (0, 0)),
]


@pytest.mark.parametrize(("size", "wanted", "expected"), PLANS)
def test_passes_reach_from_the_smallest_face_wanted_to_the_largest_that_fits(
    config, size, wanted, expected
):
    config = replace(config, detector=DetectorConfig(**wanted))
    assert plan_passes(*size, config) == expected
    in_graph = plan_passes(*tf.constant(size, tf.float32), config, xp=tnp)
    assert tuple(part.numpy() for part in in_graph) == expected


def test_a_scaled_image_has_the_passes_of_its_size_after_scaling(config):
    wanted = replace(config, detector=DetectorConfig(min_face=64))
    assert plan_passes(3000, 4000, wanted, scale=0.32) == (0, 1)


def test_a_plan_names_its_passes_by_their_sizes():
    assert (str(Plan(0, 0)), str(Plan(1, 3))) == ("1", "1/2, 1/4, 1/8")


def test_small_anchors_take_more_passes(config):
    cells = replace(config, anchors=AnchorConfig(sizes=((8,), (16,), (32,))))
    assert plan_passes(160, 160, cells) == (0, 2)


# Boxes by their left edge and size, with score and pass; which are believed. Passes 0, 1 and 2 are
# believed about faces of up to 448 pixels of their own, or of any size in pass 2; passes 1 and 2
# from 24 pixels on. What has 96 pixels must be found by the next pass, too, with a score of 0.1.
DETECTIONS = {
    "a face that its pass sees well": ([(0, 90, 0.9, 0)], [True]),
    "one too large for its pass": ([(0, 449, 0.9, 0), (0, 449, 0.9, 2)], [False, True]),
    "one too small for its pass": ([(0, 46, 0.9, 1)], [False]),
    "one of any size in the last pass": ([(0, 4000, 0.9, 2)], [True]),
    "one that the next pass does not find": ([(0, 97, 0.9, 0)], [False]),
    "one that the next pass finds": ([(0, 100, 0.9, 0), (10, 100, 0.11, 1)], [True, True]),
    "one that the next pass hardly finds": ([(0, 100, 0.9, 0), (10, 100, 0.09, 1)], [False, True]),
    "one that the pass after the next finds": (
        [(0, 160, 0.9, 0), (0, 160, 0.9, 2)],
        [False, True],
    ),
    "a fragment of a larger face": ([(100, 80, 0.99, 0), (0, 449, 0.9, 2)], [False, True]),
    "a fragment of a face that is not sure": ([(100, 80, 0.99, 0), (0, 449, 0.4, 2)], [True, True]),
    "a small face beside a large one": ([(500, 80, 0.9, 0), (0, 449, 0.9, 2)], [True, True]),
    "a small face before one that its pass sees": (
        [(100, 80, 0.9, 0), (0, 440, 0.9, 2)],
        [True, True],
    ),
}


@pytest.mark.parametrize("name", DETECTIONS)
@pytest.mark.parametrize("xp", [np, tnp], ids=["NumPy", "TensorFlow"])
def test_a_detection_is_believed_by_its_size_and_by_other_passes(config, name, xp):
    given, expected = DETECTIONS[name]
    rows = np.float32([(left, 0, left + size, size) for left, size, _, _ in given])
    scores = np.float32([score for _, _, score, _ in given])
    passes = np.int32([number for *_, number in given])
    if xp is tnp:
        rows, scores, passes = map(tf.constant, (rows, scores, passes))
    kept = select_detections(rows, scores, passes, Plan(0, 2), config, xp=xp)
    assert np.asarray(kept).tolist() == expected


@pytest.mark.parametrize("xp", [np, tnp], ids=["NumPy", "TensorFlow"])
def test_of_no_detections_none_is_believed(config, xp):
    none = select_detections(
        *(xp.zeros(shape, np.float32) for shape in ([0, 4], [0])),
        xp.zeros([0], np.int32),
        Plan(0, 2),
        config,
        xp=xp,
    )
    assert np.asarray(none).shape == (0,)
