"""Box voting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.evaluation.voting import vote

A, B, FAR = [0, 0, 9, 9], [2, 0, 11, 9], [100, 100, 120, 130]


def voted(boxes, scores, iou=0.4):
    boxes = np.array(boxes, np.float32)
    points = np.repeat(boxes[:, None, :2], 5, axis=1)  # all five in the upper left corner
    return vote(boxes, np.array(scores, np.float32), points, iou)


def test_a_cluster_becomes_its_mean_by_score_with_its_best_score():
    boxes, scores, landmarks = voted([A, B], [0.8, 0.4])
    np.testing.assert_allclose(boxes, [[2 / 3, 0, 9 + 2 / 3, 9]], rtol=1e-6)
    np.testing.assert_allclose(scores, [0.8])
    np.testing.assert_allclose(landmarks[0], [[2 / 3, 0]] * 5, rtol=1e-6)


def test_clusters_come_best_first_whatever_the_order_given():
    far = [[x + 1 for x in FAR], FAR]
    boxes, scores, _ = voted([A, *far, B], [0.3, 0.7, 0.9, 0.5])
    np.testing.assert_allclose(scores, [0.9, 0.5])
    assert boxes[0, 0] > 99


def test_a_candidate_that_no_other_confirms_is_dropped():
    boxes, scores, _ = voted([FAR, A, B], [0.9, 0.8, 0.4])
    assert len(boxes) == 1
    np.testing.assert_allclose(scores, [0.8])


def test_the_last_candidate_of_all_is_kept_even_alone():
    boxes, _, _ = voted([A, B, FAR], [0.8, 0.4, 0.3])
    np.testing.assert_allclose(boxes[1], FAR)


def test_nothing_gives_nothing():
    boxes, scores, landmarks = vote(
        *(np.zeros([0, *s], np.float32) for s in ([4], [], [5, 2])), 0.4
    )
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)
    assert landmarks.shape == (0, 5, 2)


@pytest.mark.parametrize(("width", "clusters"), [(4, 1), (3, 0)])
def test_overlap_counts_pixels_from_the_first_to_the_last(width, clusters):
    # 10 x 10 pixels and 4 x 10 of them: 0.4. Without the last pixel it would be 27 / 81.
    boxes, _, _ = voted([A, [0, 0, width - 1, 9], FAR, FAR], [0.9, 0.8, 0.2, 0.1])
    assert len(boxes) == clusters + 1


def vote_literally(boxes, scores, iou):
    """Finds boxes and score of each cluster as insightface's `bbox_vote` does, [N, 5]."""
    det, found = np.concatenate([boxes, scores[:, None]], axis=1)[np.argsort(-scores)], []
    while len(det):
        area = (det[:, 2] - det[:, 0] + 1) * (det[:, 3] - det[:, 1] + 1)
        near, far = np.maximum(det[0, :2], det[:, :2]), np.minimum(det[0, 2:4], det[:, 2:4])
        inter = np.maximum(0, far - near + 1).prod(axis=1)
        merge = inter / (area[0] + area - inter) >= iou
        cluster, det = det[merge], det[~merge]
        if len(cluster) > 1 or not len(det):
            mean = (cluster[:, :4] * cluster[:, 4:]).sum(axis=0) / cluster[:, 4].sum()
            found.append([*mean, cluster[:, 4].max()])
    return np.array(found)


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.sampled_from([0.0, 0.1, 0.4, 0.7, 1.0]))
def test_votes_are_those_of_the_original(seed, count, iou):
    random = np.random.default_rng(seed)
    corners = random.integers(0, 60, (count, 2))
    boxes = np.concatenate([corners, corners + random.integers(0, 40, (count, 2))], axis=1)
    scores = random.permutation(count) / count + 0.01
    found, best, points = vote(boxes * 1.0, scores, np.zeros((count, 5, 2)), iou)
    expected = vote_literally(boxes * 1.0, scores, iou)
    np.testing.assert_allclose(np.concatenate([found, best[:, None]], axis=1), expected)
    assert points.shape == (len(found), 5, 2)
