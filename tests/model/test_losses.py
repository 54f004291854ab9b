"""MultiBoxLoss: cases to check in the head, edges, laws, the originals' numbers."""

from dataclasses import fields

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import Config, LossConfig
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.geometry.targets import make_targets
from retinaface_tf.model.losses import TERMS, Counts, MultiBoxLoss, count_positives
from retinaface_tf.structures import Faces, Predictions, Targets

LN2 = np.log(2)
CASES = ["loss_b4_640", "loss_b4_640_one_image_no_positive", "loss_b4_640_no_positive"]


def silent_predictions(images, anchors):
    """Zeros: every anchor says face and background alike, each of which costs ln 2."""
    return Predictions(
        boxes=np.zeros((images, anchors, 4), np.float32),
        logits=np.zeros((images, anchors, 2), np.float32),
        landmarks=np.zeros((images, anchors, 5, 2), np.float32),
    )


def targets_of(is_face, has_landmarks=None):
    """Targets of 0 for the anchors [B, A] that are faces; all faces have landmarks."""
    is_face = np.array(is_face, bool)
    return Targets(
        boxes=np.zeros((*is_face.shape, 4), np.float32),
        landmarks=np.zeros((*is_face.shape, 5, 2), np.float32),
        is_face=is_face,
        has_landmarks=is_face if has_landmarks is None else np.array(has_landmarks, bool),
    )


def random_case(images=4, anchors=50, seed=1):
    random = np.random.default_rng(seed)
    is_face = random.random((images, anchors)) < 0.1
    targets = targets_of(is_face, is_face & (random.random(is_face.shape) < 0.5))
    predictions = silent_predictions(images, anchors)
    for rows in (*predictions, targets.boxes, targets.landmarks):
        rows[:] = 2 * random.normal(size=rows.shape)
    return predictions, targets


def losses_and_gradients(predictions, targets, counts=None, **settings):
    """Returns losses by name, `total` last, and the gradients of the total, in NumPy."""
    predictions = Predictions(*map(tf.constant, predictions))
    targets = Targets(*map(tf.constant, targets))
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        counts = counts or count_positives(targets)
        losses = MultiBoxLoss(Config(loss=LossConfig(**settings)))(predictions, targets, counts)
    gradients = tape.gradient(losses.total, predictions)
    by_name = {**losses.terms, "total": losses.total}
    return {name: loss.numpy() for name, loss in by_name.items()}, Predictions(
        *(rows.numpy() for rows in gradients)
    )


def losses_of(predictions, targets, counts=None, **settings):
    return losses_and_gradients(predictions, targets, counts, **settings)[0]


def test_a_batch_to_check_in_the_head():
    predictions, targets = silent_predictions(1, 4), targets_of([[True, False, False, False]])
    targets.boxes[0, 0] = [0.5, -2, 0, 0]  # smooth L1: 0.125 + 1.5
    targets.landmarks[0, 0, 3, 1] = 1  # 0.5
    losses = losses_of(predictions, targets)
    assert losses["boxes"] == pytest.approx(1.625)
    assert losses["scores"] == pytest.approx(4 * LN2)  # the face and all the negatives there are
    assert losses["landmarks"] == pytest.approx(0.5)
    assert losses["total"] == pytest.approx(2 * 1.625 + 4 * LN2 + 0.5)


def test_each_weight_scales_its_own_loss():
    losses = losses_of(*random_case(), box_weight=3, score_weight=5, landmark_weight=7)
    expected = 3 * losses["boxes"] + 5 * losses["scores"] + 7 * losses["landmarks"]
    assert losses["total"] == pytest.approx(expected)


def test_each_term_has_a_weight_in_the_config_and_each_weight_a_term():
    weights = [field.name for field in fields(LossConfig) if field.name.endswith("_weight")]
    assert sorted(term.weight for term in TERMS.values()) == sorted(weights)


def test_losses_are_divided_by_faces_and_by_faces_with_landmarks():
    targets = targets_of([[True, True, True, True]], [[True, True, False, False]])
    targets.boxes[..., 0] = 1.5  # 1 for each of the 4 faces
    targets.landmarks[..., 0, 0] = 1.5  # 1 for each of the 2
    losses = losses_of(silent_predictions(1, 4), targets)
    assert (losses["boxes"], losses["landmarks"]) == (1, 1)


def test_a_face_without_landmarks_does_not_train_landmarks():
    predictions, targets = silent_predictions(1, 2), targets_of([[True, True]], [[True, False]])
    targets.landmarks[0, 1] = 100
    targets.boxes[0, 1] = 1.5
    losses, gradients = losses_and_gradients(predictions, targets)
    assert (losses["boxes"], losses["landmarks"]) == (2, 0)
    assert not gradients.landmarks.any()
    assert gradients.boxes[0, 1].all()


def test_the_distance_iou_of_a_box_half_an_anchor_off_to_check_in_the_head():
    predictions, targets = silent_predictions(1, 3), targets_of([[True, True, False]])
    targets.boxes[0, 0, 0] = 5  # a tenth of an anchor each: shares 1 / 2 of 3 / 2, hull 3 / 2 by 1
    predictions.boxes[0, 2] = 9  # no face
    losses, gradients = losses_and_gradients(predictions, targets, boxes="diou")
    assert losses["boxes"] == pytest.approx((1 - 1 / 3 + 0.25 / (2.25 + 1)) / 2)
    assert gradients.boxes[0, 0, 0] < 0  # the box is to move to the right
    assert not gradients.boxes[0, 2].any()


def test_the_distance_iou_of_a_box_of_half_the_height_is_one_less_the_overlap():
    predictions, targets = silent_predictions(1, 1), targets_of([[True]])
    targets.boxes[0, 0, 3] = np.log(0.5) / 0.2
    assert losses_of(predictions, targets, boxes="diou")["boxes"] == pytest.approx(0.5)


def test_quality_focal_loss_wants_the_overlap_as_the_score_to_check_in_the_head():
    predictions, targets = silent_predictions(1, 3), targets_of([[True, True, False]])
    targets.boxes[0, 1, 0] = 5  # IoU 1 / 3
    losses, gradients = losses_and_gradients(predictions, targets, scores="quality_focal")
    # All scores are 1 / 2, so that each cross-entropy is ln 2.
    assert losses["scores"] == pytest.approx((1 / 4 + 1 / 36 + 1 / 4) * LN2 / 2)
    assert gradients.logits[0, 0, 1] < 0 < gradients.logits[0, 2, 1]
    assert gradients.logits[0, 0, 0] == -gradients.logits[0, 0, 1]
    without = losses_and_gradients(predictions, targets, scores="quality_focal", box_weight=0)[1]
    assert not without.boxes.any()  # the overlap is a target, and trains no boxes


def test_a_score_that_equals_the_overlap_costs_nothing():
    predictions, targets = silent_predictions(1, 1), targets_of([[True]])
    targets.boxes[0, 0, 0] = 5
    predictions.logits[0, 0, 1] = -LN2  # sigmoid 1 / 3
    losses, gradients = losses_and_gradients(predictions, targets, scores="quality_focal")
    assert losses["scores"] == pytest.approx(0, abs=1e-7)
    assert not gradients.logits.round(6).any()


@pytest.mark.parametrize(("ratio", "expected"), [(1, 6), (2, 11), (3, 15), (7, 18)])
def test_the_negatives_that_look_most_like_faces_are_mined(ratio, expected):
    predictions, targets = silent_predictions(1, 7), targets_of([[True] + [False] * 6])
    # Cross-entropy ln(1 + e^margin) of these margins is 6, 5, 4, 3, ~0, ~0 to a few percent.
    margins = np.array([0, -50, 4, 6, 3, 5, -50], np.float32)
    predictions.logits[0, :, 1] = margins
    losses = losses_of(predictions, targets, negatives_per_positive=ratio)
    chosen = sorted(margins[1:], reverse=True)[:ratio]
    assert losses["scores"] == pytest.approx(LN2 + np.logaddexp(0, chosen).sum(), rel=1e-6)
    assert losses["scores"] == pytest.approx(LN2 + expected, rel=0.02)


def test_negatives_are_mined_image_by_image():
    predictions, targets = silent_predictions(2, 4), targets_of([[True] + [False] * 3, [False] * 4])
    predictions.logits[1, :, 1] = 50  # expensive, but in an image without faces
    losses = losses_of(predictions, targets, negatives_per_positive=2)
    assert losses["scores"] == pytest.approx(3 * LN2)


def test_a_face_is_never_mined_as_a_negative():
    predictions, targets = silent_predictions(1, 3), targets_of([[True, True, False]])
    predictions.logits[0, :2, 1] = 50  # would be the hardest negatives
    assert losses_of(predictions, targets)["scores"] == pytest.approx(LN2 / 2)


def test_only_faces_and_mined_negatives_train_scores():
    predictions, targets = (
        silent_predictions(1, 5),
        targets_of([[False, True, False, False, False]]),
    )
    predictions.logits[0, :, 1] = [3, 0, 1, 2, 0]
    _, gradients = losses_and_gradients(predictions, targets, negatives_per_positive=2)
    trained = gradients.logits.any(axis=-1)
    assert trained.tolist() == [[True, True, False, True, False]]


def test_a_batch_without_faces_costs_nothing_and_trains_nothing():
    predictions, _ = random_case()
    losses, gradients = losses_and_gradients(predictions, targets_of(np.zeros((4, 50))))
    assert not any(losses.values())
    assert not any(gradient.any() for gradient in gradients)


def test_min_negatives_are_mined_without_faces():
    predictions = silent_predictions(2, 5)
    losses = losses_of(predictions, targets_of(np.zeros((2, 5))), min_negatives=3)
    assert losses["scores"] == pytest.approx(2 * 3 * LN2)  # divided by 1, not by 0
    assert (losses["boxes"], losses["landmarks"]) == (0, 0)


def test_min_negatives_do_not_cap_the_negatives_of_faces():
    targets = targets_of([[True] + [False] * 9])
    losses = losses_of(silent_predictions(1, 10), targets, min_negatives=3)
    assert losses["scores"] == pytest.approx(8 * LN2)


def test_more_min_negatives_than_anchors_take_all_there_are():
    losses = losses_of(silent_predictions(1, 5), targets_of([[False] * 5]), min_negatives=100)
    assert losses["scores"] == pytest.approx(5 * LN2)


@pytest.mark.parametrize("worst", [np.inf, -np.inf, np.nan, 3e38])
def test_targets_that_no_face_uses_may_be_anything(worst):
    predictions, targets = random_case()
    clean = losses_and_gradients(predictions, targets)
    targets.boxes[~targets.is_face] = worst
    targets.landmarks[~targets.has_landmarks] = worst
    dirty = losses_and_gradients(predictions, targets)
    assert dirty[0] == clean[0]
    for gradient, expected in zip(dirty[1], clean[1], strict=True):
        np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("margin", [-200, 200])
def test_confident_scores_give_finite_losses(margin):
    predictions, targets = random_case()
    predictions.logits[..., 1] = margin
    losses, gradients = losses_and_gradients(predictions, targets)
    assert np.isfinite([*losses.values()]).all()
    assert np.isfinite(gradients.logits).all()


def test_shares_of_a_batch_with_its_counts_sum_to_the_whole():
    predictions, targets = random_case()
    counts = count_positives(Targets(*map(tf.constant, targets)))
    shares = [
        losses_of([p[part] for p in predictions], [t[part] for t in targets], counts)
        for part in (slice(1), slice(1, 4))
    ]
    whole = losses_of(predictions, targets)
    for name, loss in whole.items():
        assert sum(share[name] for share in shares) == pytest.approx(loss, rel=1e-6)


def test_counts_are_of_faces_and_of_those_with_landmarks():
    targets = targets_of([[True, True, False]] * 2, [[True, False, False]] * 2)
    assert count_positives(targets) == Counts(faces=4, landmarks=2)


def test_losses_have_the_precision_of_the_predictions():
    predictions, targets = random_case()
    exact = losses_of([rows.astype(np.float64) for rows in predictions], targets)
    assert {loss.dtype for loss in exact.values()} == {np.dtype(np.float64)}
    assert losses_of(predictions, targets) == pytest.approx(exact, rel=1e-5)


def originals_targets(original):
    faces = Faces(*(tf.constant(original[f"faces_{field}"]) for field in Faces._fields))
    anchors = make_anchors(640, 640, Config().anchors)
    return make_targets(faces, anchors, (640, 640), Config())


def check_against_the_original(predictions, targets, expected_losses, expected_gradients):
    losses, gradients = losses_and_gradients(predictions, targets)
    for name, expected in zip((*TERMS, "total"), expected_losses, strict=True):
        assert losses[name] == pytest.approx(expected, rel=1e-5)
    for name, ours, expected in zip(
        Predictions._fields, gradients, expected_gradients, strict=True
    ):
        tolerance = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_are_the_originals(case, vectors):
    original = vectors(case)
    rows = original["rows"]
    targets = [tf.gather(part, rows, batch_dims=1) for part in originals_targets(original)]
    np.testing.assert_array_equal(targets[2], original["labels"] != 0)
    np.testing.assert_array_equal(targets[3], original["labels"] > 0)
    check_against_the_original(
        [original[name] for name in ("boxes", "logits", "landmarks")],
        targets,
        [original[f"loss_{name}"] for name in ("boxes", "scores", "landmarks", "total")],
        [original[f"grad_{name}"] for name in ("boxes", "logits", "landmarks")],
    )


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_over_all_anchors_are_the_originals(case, vectors, shared):
    with np.load(shared / "reference" / "vectors" / f"{case}.npz") as file:
        original = dict(file)

    def of_points(rows):
        return rows.reshape(4, -1, 5, 2)

    check_against_the_original(
        [original["loc_pred"], original["conf_pred"], of_points(original["landm_pred"])],
        originals_targets(vectors(case)),
        [original[name] for name in ("loss_l", "loss_c", "loss_landm", "total_2l_c_lm")],
        [original["grad_loc"], original["grad_conf"], of_points(original["grad_landm"])],
    )
