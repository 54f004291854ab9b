import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.alignment import ARCFACE112, align_face, similarity

POINTS = np.array([[20.0, 30], [40, 30], [30, 40], [22, 50], [38, 50]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_a_shift_and_a_quarter_turn_are_found_by_head():
    # Turned clockwise, as seen with y down: (x, y) goes to (-y, x); then 100 to the right.
    target = np.stack([100 - POINTS[:, 1], POINTS[:, 0]], axis=1)
    np.testing.assert_allclose(similarity(POINTS, target), [[0, -1, 100], [1, 0, 0]], atol=1e-12)


@given(st.floats(0, 6.28), st.floats(0.1, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_what_a_similarity_did_to_points_it_undoes(angle, scale, x, y):
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    moved = POINTS @ np.array([[cos, sin], [-sin, cos]]) + [x, y]
    np.testing.assert_allclose(apply(similarity(moved, POINTS), moved), POINTS, atol=1e-6)


def umeyama(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """His paper of 1991, equations 34 to 43, by singular values."""
    ours, theirs = points - points.mean(0), target - target.mean(0)
    u, d, v = np.linalg.svd(theirs.T @ ours / len(points))
    sign = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    rotation = u @ sign @ v
    scale = np.trace(np.diag(d) @ sign) / ours.var(axis=0).sum()
    shift = target.mean(0) - scale * rotation @ points.mean(0)
    return np.concatenate([scale * rotation, shift[:, None]], axis=1)


def test_points_that_fit_no_similarity_come_as_near_as_umeyamas_do():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = POINTS + rng.normal(0, 6, POINTS.shape)
        expected = umeyama(points, np.array(ARCFACE112.points))
        np.testing.assert_allclose(similarity(points, ARCFACE112.points), expected, rtol=1e-9)


def test_mirrored_points_are_not_mirrored_back():
    mirrored = POINTS * [-1, 1]
    matrix = similarity(mirrored, POINTS)
    assert np.linalg.det(matrix[:, :2]) >= 0


def test_opencv_finds_the_same_where_all_points_fit():
    target = np.array(ARCFACE112.points)
    moved = apply(np.array([[0.4, -0.3, 7], [0.3, 0.4, 90]]), target)
    theirs = cv2.estimateAffinePartial2D(moved, target)[0]
    np.testing.assert_allclose(similarity(moved, target), theirs, atol=1e-3)  # of float32


def test_an_aligned_face_has_its_landmarks_where_the_template_has_them():
    template = np.array(ARCFACE112.points)
    landmarks = (template / 2 + 20).round()
    image = np.zeros((100, 100, 3), np.uint8)
    for x, y in landmarks.astype(int):
        image[y, x] = 255
    picture = align_face(image, similarity(landmarks, template), ARCFACE112)
    assert picture.shape == (112, 112, 3)
    for x, y in template.round().astype(int):
        around = picture[y - 4 : y + 5, x - 4 : x + 5]
        assert around.max() > 100
        around[:] = 0
    assert not picture.any(), "and nothing is elsewhere"
