"""Box coder: cases to check in the head, the round trip, the originals' numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.geometry.coder import (
    decode_boxes,
    decode_landmarks,
    encode_boxes,
    encode_landmarks,
)

VARIANCES = (0.1, 0.2)
ANCHOR = np.array([[0.5, 0.5, 0.2, 0.4]], np.float32)  # centre and size
AROUND = np.array([[0.4, 0.3, 0.6, 0.7]], np.float32)  # the same box by its corners

fractions = st.floats(0, 1, width=32)
extents = st.floats(1 / 128, 2, width=32)
anchors = st.tuples(fractions, fractions, extents, extents)
sized_boxes = st.tuples(fractions, fractions, extents, extents)


def test_a_face_like_its_anchor_encodes_to_0():
    np.testing.assert_allclose(encode_boxes(AROUND, ANCHOR, VARIANCES), [[0] * 4], atol=1e-6)


def test_a_face_a_tenth_of_the_anchor_aside_encodes_to_1():
    shifted = AROUND + np.array([0.02, -0.04, 0.02, -0.04], np.float32)
    encoded = encode_boxes(shifted, ANCHOR, VARIANCES)
    np.testing.assert_allclose(encoded, [[1, -1, 0, 0]], atol=2e-6)


def test_a_face_e_times_the_anchor_encodes_to_1_over_its_variance():
    half = np.array([0.1, 0.2], np.float32) * np.e
    face = np.concatenate([0.5 - half, 0.5 + half])[None]
    np.testing.assert_allclose(encode_boxes(face, ANCHOR, VARIANCES), [[0, 0, 5, 5]], atol=2e-6)


def test_a_prediction_of_0_is_the_anchor():
    zeros = np.zeros((1, 4), np.float32)
    np.testing.assert_allclose(decode_boxes(zeros, ANCHOR, VARIANCES), AROUND, atol=1e-7)
    centre = decode_landmarks(np.zeros((1, 5, 2), np.float32), ANCHOR, VARIANCES)
    np.testing.assert_array_equal(centre, np.full((1, 5, 2), 0.5))


def test_landmarks_count_in_tenths_of_the_anchor_from_its_centre():
    points = np.array([[[0.5, 0.5], [0.52, 0.5], [0.5, 0.54], [0.4, 0.5], [0.5, 0.7]]], np.float32)
    expected = [[[0, 0], [1, 0], [0, 1], [-5, 0], [0, 5]]]
    np.testing.assert_allclose(encode_landmarks(points, ANCHOR, VARIANCES), expected, atol=2e-6)


def test_boxes_beyond_the_image_are_not_clipped():
    far = decode_boxes(np.array([[100, -100, 0, 0]], np.float32), ANCHOR, VARIANCES)
    np.testing.assert_allclose(far, [[2.4, -3.7, 2.6, -3.3]], rtol=1e-6)


def test_a_batch_of_rows_shares_the_anchors():
    rows = np.random.default_rng(1).normal(size=(3, 7, 4)).astype(np.float32)
    anchor_rows = np.tile(ANCHOR, (7, 1))
    together = decode_boxes(rows, anchor_rows, VARIANCES)
    apart = [decode_boxes(row, anchor_rows, VARIANCES) for row in rows]
    np.testing.assert_allclose(together, apart, atol=1e-6)


@given(sized_boxes, anchors)
def test_decoding_undoes_encoding(box, anchor):
    cx, cy, w, h = box
    box = np.array([[cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]], np.float32)
    anchor = np.array([anchor], np.float32)
    there = encode_boxes(box, anchor, VARIANCES)
    np.testing.assert_allclose(decode_boxes(there, anchor, VARIANCES), box, atol=2e-6)


@given(st.lists(st.tuples(fractions, fractions), min_size=5, max_size=5), anchors)
def test_decoding_undoes_encoding_of_landmarks(points, anchor):
    points, anchor = np.array([points], np.float32), np.array([anchor], np.float32)
    there = encode_landmarks(points, anchor, VARIANCES)
    np.testing.assert_allclose(decode_landmarks(there, anchor, VARIANCES), points, atol=1e-6)


@pytest.mark.parametrize(
    ("code", "given_rows", "expected"),
    [
        (encode_boxes, "boxes", "enc_boxes"),
        (encode_landmarks, "landms", "enc_landms"),
        (decode_boxes, "loc_pred", "dec_boxes"),
        (decode_landmarks, "landm_pred", "dec_landms"),
        (decode_boxes, "enc_boxes", "roundtrip_boxes"),
        (decode_landmarks, "enc_landms", "roundtrip_landms"),
    ],
)
def test_codes_are_the_originals(code, given_rows, expected, vectors):
    original = vectors("coder")
    rows, answer = original[given_rows], original[expected]
    if rows.shape[-1] == 10:
        rows, answer = rows.reshape(-1, 5, 2), answer.reshape(-1, 5, 2)
    ours = code(rows, original["priors"], VARIANCES)
    np.testing.assert_allclose(ours, answer, rtol=1e-6, atol=1e-6)
