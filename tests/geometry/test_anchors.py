"""Anchors: a map to check in the head, laws, the originals' numbers bit by bit."""

from hashlib import sha256

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.config import AnchorConfig
from retinaface_tf.geometry.anchors import make_anchors

DEFAULT = AnchorConfig()


def anchors_of(height, width, **settings):
    """Returns anchors by stride, for levels of sizes 8, 16 and 32 unless given otherwise."""
    config = AnchorConfig(**{"sizes": ((8,), (16,), (32,)), **settings})
    counts = [
        -(-height // stride) * -(-width // stride) * len(sizes)
        for stride, sizes in zip((8, 16, 32), config.sizes, strict=True)
    ]
    levels = np.split(make_anchors(height, width, config).numpy(), np.cumsum(counts)[:2])
    return dict(zip((8, 16, 32), levels, strict=True))


@tf.function(input_signature=[tf.TensorSpec([], tf.int32)] * 2)
def anchors_of_tensors(height, width):
    return make_anchors(height, width, DEFAULT)


def anchors_of_ints(height, width):
    return make_anchors(height, width, DEFAULT)


def test_anchors_of_two_cells_and_two_sizes():
    centres_and_sizes = [
        [0.25, 0.5, 0.25, 0.5],
        [0.25, 0.5, 0.5, 1],
        [0.75, 0.5, 0.25, 0.5],
        [0.75, 0.5, 0.5, 1],
    ]
    anchors = anchors_of(16, 32, sizes=((4,), (8, 16), (64,)))
    np.testing.assert_array_equal(anchors[16], centres_and_sizes)


def test_rows_come_before_columns():
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    np.testing.assert_array_equal(anchors_of(32, 32)[16][:, :2], expected)


def test_finer_levels_come_first():
    anchors = make_anchors(16, 16, AnchorConfig(sizes=((8,), (16,), (32,))))
    np.testing.assert_array_equal(anchors[:, 2], [0.5, 0.5, 0.5, 0.5, 1, 2])


def test_a_started_cell_counts_and_its_centre_may_lie_outside():
    anchors = anchors_of(16, 20)
    np.testing.assert_array_equal(anchors[16][:, 0], np.array([8 / 20, 24 / 20], np.float32))


def test_clip_keeps_anchors_within_the_image():
    anchors = anchors_of(16, 20, sizes=((8,), (64,), (32,)), clip=True)
    np.testing.assert_array_equal(anchors[16][1], np.array([1, 0.5, 1, 1], np.float32))


def test_an_image_of_840_pixels_has_29126_anchors():
    assert anchors_of_ints(840, 840).shape == (29_126, 4)


@pytest.mark.parametrize("size", [(840, 840), (640, 640), (333, 517)])
@pytest.mark.parametrize("make", [anchors_of_ints, anchors_of_tensors])
def test_anchors_are_the_originals_bit_by_bit(make, size, vectors):
    name, original = "{}x{}".format(*size), vectors("anchors")
    anchors = make(*size).numpy()
    rows = original[f"rows_{name}"]
    np.testing.assert_array_equal(anchors[rows], original[f"anchors_{name}"])
    assert len(anchors) == original[f"count_{name}"]
    assert sha256(anchors.tobytes()).hexdigest() == original[f"sha256_{name}"]


@given(st.integers(1, 300), st.integers(1, 300))
def test_the_config_knows_the_count_of_any_image(height, width):
    assert DEFAULT.count(height, width) == len(anchors_of_tensors(height, width))
