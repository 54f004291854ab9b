"""ATSS: cases to check in the head, and a literal twin.

Anchors and faces of the hand-made cases are strips of height 1, so that overlaps are ratios of
lengths, and distances those along the strip.
"""

import numpy as np
import pytest
import tensorflow as tf
from face_boxes import faces_of_boxes
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.config import AnchorConfig, MatchConfig
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.atss import match_atss
from retinaface_tf.geometry.boxes import iou, to_corners
from retinaface_tf.geometry.flat_faces import flatten

# Four cells of one anchor each, then two cells of one.
ANCHORS = [(0, 10), (10, 20), (20, 30), (30, 40), (0, 20), (20, 40)]
LEVELS = ((4, 1), (2, 1))
NONE = -1
ONE_CELL, TWO_CELLS = MatchConfig(candidates=1), MatchConfig(candidates=2)


def strips(ends):
    """Returns boxes [N, 4] of height 1 from (x1, x2)."""
    return np.array([[x1, 0, x2, 1] for x1, x2 in ends], np.float32).reshape(-1, 4)


def match_images(images, anchors, levels, rules):
    """Returns the face of each anchor of each image [B, A], counted in its image, or NONE."""
    flat = flatten(faces_of_boxes(images), tf.float32)
    found = match_atss(flat, len(images), tf.constant(anchors), levels, rules)
    first = np.cumsum([0, *map(len, images)])[:-1, None]
    return np.where(found.is_face, found.face.numpy() - first, NONE)


def matched(faces, rules):
    """Returns the face of each of ANCHORS, or NONE."""
    return match_images([strips(faces)], strips(ANCHORS), LEVELS, rules)[0].tolist()


def test_candidates_that_reach_mean_plus_deviation_are_positive():
    # Candidates: (10, 20) of IoU 1, and (0, 20) of 1 / 2: threshold 3 / 4 + 1 / 4.
    assert matched([(10, 20)], ONE_CELL) == [NONE, 0, NONE, NONE, NONE, NONE]


def test_the_threshold_is_that_of_the_candidates_of_all_levels():
    # (8, 22): (10, 20) of IoU 10 / 14, and (0, 10) of 2 / 22, the first of two as near; (0, 20) of
    # 12 / 22, and (20, 40) of 2 / 32. Mean 0.353, deviation 0.283: 0.636.
    assert matched([(8, 22)], TWO_CELLS) == [NONE, 0, NONE, NONE, NONE, NONE]


def test_an_anchor_whose_centre_lies_outside_of_the_face_is_positive_only_as_the_best():
    # (16, 19) lies in (10, 20) and in (0, 20), IoU 0.3 and 0.15, and holds the centre of neither.
    assert matched([(16, 19)], ONE_CELL) == [NONE, 0, NONE, NONE, NONE, NONE]


def test_an_anchor_of_two_faces_takes_the_one_that_it_overlaps_most():
    assert matched([(11, 20), (10, 20)], ONE_CELL)[1] == 1
    assert matched([(10, 20), (11, 20)], ONE_CELL)[1] == 0


def test_of_equal_faces_the_first_is_taken_and_an_image_without_faces_has_none():
    faces = strips([(10, 20), (10, 20)])
    found = match_images([strips([]), faces, strips([(30, 40)])], strips(ANCHORS), LEVELS, ONE_CELL)
    assert found[0].tolist() == [NONE] * 6
    assert found[1].tolist() == [NONE, 0, NONE, NONE, NONE, NONE]
    assert found[2].tolist() == [NONE, NONE, NONE, 0, NONE, NONE]


def test_a_face_that_overlaps_no_candidate_has_none():
    assert matched([(50, 60)], ONE_CELL) == [NONE] * 6


def match_literally(boxes, anchors, levels, candidates):
    """Matches face by face as the paper's algorithm says, with the best candidate kept."""
    best = np.zeros(len(anchors), np.float32)
    face = np.full(len(anchors), NONE)
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    for number, box in enumerate(boxes):
        centre = (box[:2] + box[2:]) / 2
        near, first = [], 0
        for cells, sizes in levels:
            across, down = (centre - centres[first : first + cells * sizes : sizes]).T
            order = np.argsort(across * across + down * down, kind="stable")[:candidates]
            near += [first + cell * sizes + size for size in range(sizes) for cell in order]
            first += cells * sizes
        overlap = iou(box[None], anchors[near]).numpy()[0]
        threshold = overlap.mean() + overlap.std()
        inside = ((centres[near] > box[:2]) & (centres[near] < box[2:])).all(axis=1)
        positive = (overlap >= threshold) & inside | (overlap == overlap.max())
        for anchor, value in zip(np.array(near)[positive], overlap[positive], strict=True):
            if value > best[anchor]:
                best[anchor], face[anchor] = value, number
    return face


places = st.integers(0, 60)
boxes = st.tuples(places, places, st.integers(2, 40), st.integers(2, 40))


@given(st.lists(st.lists(boxes, max_size=5), min_size=1, max_size=3), st.integers(1, 9))
def test_a_batch_is_matched_as_face_by_face(images, candidates):
    config = AnchorConfig(sizes=((8, 16), (32,), (64,)))
    anchors = to_corners(make_anchors(64, 64, config)).numpy() * 64
    levels = config.levels(64, 64)
    rows = [np.float32([[x, y, x + w, y + h] for x, y, w, h in image]) for image in images]
    rows = [row.reshape(-1, 4) for row in rows]
    found = match_images(rows, anchors, levels, MatchConfig(candidates=candidates))
    for image, row in zip(found, rows, strict=True):
        expected = match_literally(row, anchors, levels, candidates)
        # Sums in another order may pass by the threshold, where candidates are alike.
        assert np.mean(image == expected) > 0.97


def test_a_face_of_five_pixels_has_an_anchor_of_the_smallest():
    config = AnchorConfig()
    anchors = to_corners(make_anchors(640, 640, config)).numpy() * 640
    face = np.float32([[101, 203, 106, 208]])
    found = match_images([face], anchors, config.levels(640, 640), MatchConfig(method="atss"))[0]
    (positive,) = np.nonzero(found != NONE)
    assert 1 <= len(positive) <= 4
    assert anchors[positive, 2] - anchors[positive, 0] == pytest.approx(16, abs=1e-3)
