"""Average precision: cases to check in the head, laws, a literal twin, the originals' numbers."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import (
    SETS,
    THRESHOLDS,
    Curve,
    GroundTruth,
    average_precision,
    evaluate_predictions,
    precision_recall,
)
from retinaface_tf.evaluation.wider import load_ground_truth

SHARED = Path(__file__).parents[2].parent / "shared"
FACE, OTHER = [10, 10, 19, 19], [60, 60, 19, 19]
AWAY = [200, 200, 19, 19]


def truth(faces, **counted):
    """Returns ground truth of one image; sets that are not named count every face."""
    faces = np.array(faces, float).reshape(-1, 4)
    masks = {name: np.array(counted.get(name, [True] * len(faces)), bool) for name in SETS}
    return GroundTruth(faces, masks)


def easy_ap(detections, faces, **counted):
    image = {"event/image": truth(faces, **counted)}
    return evaluate_predictions({"event/image": detections}, image)["easy"]


def test_one_face_and_one_hit_give_1():
    assert easy_ap([[*FACE, 0.8]], [FACE]) == 1


def test_a_miss_gives_0():
    assert easy_ap([[*AWAY, 0.8]], [FACE]) == 0


def test_a_missed_face_halves_the_recall():
    assert easy_ap([[*FACE, 0.8]], [FACE, OTHER]) == 0.5


def test_a_false_detection_above_the_hit_halves_the_precision():
    assert easy_ap([[*AWAY, 0.9], [*FACE, 0.8]], [FACE]) == 0.5


def test_a_false_detection_below_the_hit_costs_nothing():
    assert easy_ap([[*FACE, 0.9], [*AWAY, 0.8]], [FACE]) == 1


def test_a_second_hit_on_a_found_face_is_a_false_positive():
    # Recall 1/2 at precision 1, then the double, then recall 1 at precision 2/3.
    rows = [[*FACE, 0.9], [*FACE, 0.8], [*OTHER, 0.7]]
    assert easy_ap(rows, [FACE, OTHER]) == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)


def test_a_second_hit_does_not_fall_back_to_the_next_best_face():
    near = [12, 10, 19, 19]
    assert easy_ap([[*FACE, 0.9], [*FACE, 0.8]], [FACE, near]) == 0.5


def test_the_first_of_two_equal_faces_is_matched():
    rows = [[*FACE, 0.9], [*AWAY, 0.8]]
    assert easy_ap(rows, [FACE, FACE], easy=[True, False]) == 1
    assert easy_ap(rows, [FACE, FACE], easy=[False, True]) == 0


def test_a_hit_on_a_face_that_does_not_count_is_neither_hit_nor_false():
    rows = [[*OTHER, 0.9], [*OTHER, 0.85], [*FACE, 0.8]]
    assert easy_ap(rows, [FACE, OTHER], easy=[True, False]) == 1


def test_a_near_miss_on_a_face_that_does_not_count_is_false():
    rows = [[70, 70, 19, 19, 0.9], [*FACE, 0.8]]
    assert easy_ap(rows, [FACE, OTHER], easy=[True, False]) == 0.5


def test_each_set_counts_its_own_faces():
    image = {"e/i": truth([FACE, OTHER], easy=[True, False], medium=[False, True])}
    result = evaluate_predictions({"e/i": [[*FACE, 0.8]]}, image)
    assert list(result.items()) == [("easy", 1), ("medium", 0), ("hard", 0.5)]


def test_overlap_counts_both_border_pixels():
    # 10 x 10 and 10 x 5 pixels share 50 of 100: enough; by areas 9 * 4 / 81 it would not be.
    assert easy_ap([[0, 0, 9, 4, 0.8]], [[0, 0, 9, 9]]) == 1
    assert easy_ap([[0, 0, 9, 3, 0.8]], [[0, 0, 9, 9]]) == 0


def test_a_stricter_overlap_can_be_asked_for():
    image = {"e/i": truth([[0, 0, 9, 9]])}
    assert evaluate_predictions({"e/i": [[0, 0, 9, 4, 0.8]]}, image, iou=0.51)["hard"] == 0


@pytest.mark.parametrize("size", [(-1, -1), (-2, -2), (-2, 19), (-1, 5)])
def test_boxes_of_negative_size_match_nothing_and_warn_of_nothing(size):
    assert easy_ap([[10, 10, *size, 0.8]], [[10, 10, *size]]) == 0


@pytest.mark.parametrize("rows", [[], np.zeros((0, 5)), np.zeros(0, np.float32)])
def test_no_detections_at_all_give_0(rows):
    assert easy_ap(rows, [FACE]) == 0


def test_no_images_at_all_give_0():
    assert evaluate_predictions({}, {}) == {"easy": 0, "medium": 0, "hard": 0}


def test_a_set_without_faces_has_an_ap_of_0_and_a_warning(caplog):
    assert easy_ap([[*FACE, 0.8]], [FACE], easy=[False]) == 0
    assert len(caplog.messages) == 1
    assert "easy" in caplog.text


def test_an_image_without_predictions_counts_as_zero_detections_and_is_reported(caplog):
    images = {"e/a": truth([FACE]), "e/b": truth([FACE])}
    assert evaluate_predictions({"e/a": [[*FACE, 0.8]]}, images)["easy"] == 0.5
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("1 of 2 images have no predictions")
    assert record.getMessage().endswith("e/b")


def test_predictions_of_images_without_ground_truth_are_left_out_and_reported(caplog):
    images = {"e/a": truth([FACE])}
    # Were its scores to count in the normalisation, the hit and the miss would share a threshold.
    predictions = {"e/a": [[*FACE, 0.8], [*AWAY, 0.79999]], "e/x": [[*AWAY, 0.99], [*AWAY, 0.0]]}
    assert evaluate_predictions(predictions, images)["easy"] == 1
    assert [m.split(",")[0] for m in caplog.messages] == [
        "1 images with predictions are not in the ground truth and are left out"
    ]


def test_detections_in_an_image_without_faces_are_not_counted():
    images = {"e/a": truth([FACE]), "e/empty": truth([])}
    predictions = {"e/a": [[*FACE, 0.8]], "e/empty": [[*AWAY, 0.9]]}
    assert evaluate_predictions(predictions, images)["easy"] == 1


def test_scores_are_normalised_over_all_images():
    # 0.40002 and 0.4 are far apart within their range, but not within that of the whole set.
    images = {"e/a": truth([FACE]), "e/b": truth([FACE])}
    rows = [[*FACE, 0.4], [*AWAY, 0.40002]]
    alone = precision_recall({"e/a": rows}, {"e/a": images["e/a"]})["easy"]
    assert alone.recall[998] == 0
    assert alone.recall[999] == 1
    both = {"e/a": rows, "e/b": [[*AWAY, 0.9], [*AWAY, 0.1]]}
    curve = precision_recall(both, images)["easy"]
    reached = curve.recall > 0
    assert THRESHOLDS[reached.argmax()] == pytest.approx((0.4 - 0.1) / 0.8, abs=2e-3)


@pytest.mark.parametrize("score", [0.0, 0.3, 1.0, 7.0])
def test_equal_scores_are_all_normalised_to_1(score):
    rows = [[*FACE, score], [*AWAY, score]]
    curve = precision_recall({"e/i": rows}, {"e/i": truth([FACE])})["easy"]
    assert (curve.precision == 0.5).all()
    assert (curve.recall == 1).all()


@pytest.mark.parametrize(("score", "reached"), [(1.5, 1000), (-2.0, 1)])
def test_the_range_of_scores_starts_at_1_and_0_as_in_the_python_tools(score, reached):
    # From 1 to 1.5 the score is the greatest; from -2 to 0 it is the least.
    curve = precision_recall({"e/i": [[*FACE, score]]}, {"e/i": truth([FACE])})["easy"]
    assert (curve.recall == 1).sum() == reached


def test_the_least_score_is_reached_by_the_last_threshold_alone():
    rows = [[*FACE, 0.9], [*OTHER, 0.1]]
    curve = precision_recall({"e/i": rows}, {"e/i": truth([FACE, OTHER])})["easy"]
    assert (curve.recall[:999] == 0.5).all()
    assert curve.recall[999] == 1


def test_precision_and_recall_are_0_where_nothing_reaches_the_threshold():
    rows = [[*OTHER, 0.9], [*FACE, 0.1]]
    curve = precision_recall({"e/i": rows}, {"e/i": truth([FACE, OTHER], easy=[True, False])})
    assert (curve["easy"].precision[:999] == 0).all()
    assert (curve["easy"].recall[:999] == 0).all()
    assert curve["easy"].precision[999] == 1


def test_the_area_lies_under_the_envelope():
    curve = Curve(np.array([1.0, 0.2, 0.6]), np.array([0.25, 0.5, 0.75]))
    assert average_precision(curve) == pytest.approx(0.25 * 1 + 0.25 * 0.6 + 0.25 * 0.6)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1, 2, 3, 4]], r"\(1, 4\)"),
        ([1, 2, 3, 4, 0.5], r"\(5,\)"),
        ([[1, 2, 3, 4, np.nan]], "NaN"),
        ([[1, 2, np.inf, 4, 0.5]], "infinity"),
    ],
)
def test_broken_predictions_name_their_image(rows, said):
    with pytest.raises(InputError, match=f"event/image: .*{said}"):
        easy_ap(rows, [FACE])


# Coarse numbers, so that boxes coincide, scores tie and arithmetic on scores is exact.
boxes = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(-2, 12)] * 2)
detections = st.lists(st.tuples(boxes, st.integers(0, 256)), max_size=12).map(
    lambda rows: np.array([[*box, score / 1024] for box, score in rows]).reshape(-1, 5)
)


@st.composite
def scenes(draw):
    """Returns ground truth and predictions of up to three images; scores are k / 1024 up to 1/4."""
    images, predictions = {}, {}
    for index in range(draw(st.integers(1, 3))):
        faces = draw(st.lists(boxes, max_size=6))
        counted = st.lists(st.booleans(), min_size=len(faces), max_size=len(faces))
        images[f"e/{index}"] = truth(faces, **{name: draw(counted) for name in SETS})
        predictions[f"e/{index}"] = draw(detections)
    return predictions, images


@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_detections_does_not_matter(scene, random):
    predictions, images = scene
    mixed = {
        key: rows[random.sample(range(len(rows)), len(rows))] for key, rows in predictions.items()
    }
    assert evaluate_predictions(mixed, images) == evaluate_predictions(predictions, images)


@given(scenes(), st.sampled_from([0.25, 0.5, 2.0]), st.integers(0, 512))
def test_an_affine_change_of_scores_within_0_to_1_does_not_matter(scene, factor, shift):
    # Exactly so since these are binary fractions; others may round to another threshold.
    predictions, images = scene
    change = np.array([1, 1, 1, 1, factor]), np.array([0, 0, 0, 0, shift / 1024])
    changed = {key: rows * change[0] + change[1] for key, rows in predictions.items()}
    assert evaluate_predictions(changed, images) == evaluate_predictions(predictions, images)


@given(scenes(), st.integers(-50, 50), st.integers(-50, 50))
def test_moving_all_boxes_together_does_not_matter(scene, x, y):
    predictions, images = scene
    step = np.array([x, y, 0, 0, 0])
    moved = {key: rows + step for key, rows in predictions.items()}
    faces = {key: image._replace(faces=image.faces + step[:4]) for key, image in images.items()}
    assert evaluate_predictions(moved, faces) == evaluate_predictions(predictions, images)


@given(scenes())
def test_recall_never_falls_and_everything_stays_within_0_and_1(scene):
    for curve in precision_recall(*scene).values():
        assert (np.diff(curve.recall) >= 0).all()
        for values in (*curve, average_precision(curve)):
            assert np.min(values) >= 0
            assert np.max(values) <= 1


def literal_overlap(a, b):
    """Returns IoU of two x y w h boxes whose far corner x + w, y + h is still inside."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]) + 1
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = (a[2] + 1) * (a[3] + 1) + (b[2] + 1) * (b[3] + 1)
    return width * height / (areas - width * height)


def literal_walk(rows, faces, counted):
    """Walks through sorted rows: per row whether it is a proposal, and the faces found so far."""
    proposals, found_so_far, found = [], [], set()
    for row in rows:
        overlaps = [literal_overlap(row, face) for face in faces]
        best = overlaps.index(max(overlaps))
        hit = overlaps[best] >= 0.5
        proposals.append(not hit or bool(counted[best]))
        if hit and counted[best]:
            found.add(best)
        found_so_far.append(len(found))
    return proposals, found_so_far


def literal_ap(predictions, images, name):
    """Walks through images, detections and thresholds in plain loops, as the official tool does."""
    everything = [row[4] for key in images for row in predictions[key]]
    low, high = min([1.0, *everything]), max([0.0, *everything])
    hits, proposals = [0] * 1000, [0] * 1000
    for key, image in images.items():
        rows = sorted(predictions[key].tolist(), key=lambda row: -row[4])
        if not rows or not len(image.faces):
            continue
        scores = [(row[4] - low) / (high - low) if high != low else 1.0 for row in rows]
        counts, found = literal_walk(rows, image.faces.tolist(), image.in_set[name])
        for step in range(1000):
            last = sum(score >= 1 - (step + 1) / 1000 for score in scores)
            if last:
                proposals[step] += sum(counts[:last])
                hits[step] += found[last - 1]
    total = sum(int(image.in_set[name].sum()) for image in images.values())
    recall = [0.0] + [h / total if total else 0.0 for h in hits] + [1.0]
    precision = [0.0] + [h / p if p else 0.0 for h, p in zip(hits, proposals, strict=True)] + [0.0]
    tops = [max(precision[i:]) for i in range(1, len(precision))]
    return sum((b - a) * top for (a, b), top in zip(pairwise(recall), tops, strict=True))


@settings(max_examples=15, deadline=None)
@given(scenes())
def test_small_coarse_scenes_agree_with_a_literal_walk(scene):
    predictions, images = scene
    result = evaluate_predictions(predictions, images)
    assert result == pytest.approx({n: literal_ap(predictions, images, n) for n in SETS}, abs=1e-12)


def drawn_image(rng):
    """Returns faces of a crowd and detections around them, with doubles, misses and false ones."""
    count = rng.integers(0, 12)
    faces = np.column_stack([rng.integers(0, 150, (count, 2)), rng.integers(-1, 40, (count, 2))])
    near = faces[rng.integers(0, count, 2 * count)] if count else faces
    near = near + rng.integers(-4, 5, near.shape)
    stray = rng.integers(0, 60, (rng.integers(0, 6), 4))
    xywh = np.concatenate([near, stray])
    scores = rng.choice([rng.random(len(xywh)), rng.integers(0, 20, len(xywh)) / 20])
    masks = {name: rng.random(count) < 0.6 for name in SETS}
    return np.column_stack([xywh, scores]), truth(faces, **masks)


@pytest.mark.parametrize("seed", range(6))
def test_drawn_crowds_agree_with_a_literal_walk(seed):
    rng = np.random.default_rng(seed)
    drawn = {f"e/{index}": drawn_image(rng) for index in range(8)}
    predictions = {key: rows for key, (rows, _) in drawn.items()}
    images = {key: image for key, (_, image) in drawn.items()}
    result = evaluate_predictions(predictions, images)
    assert result == pytest.approx({n: literal_ap(predictions, images, n) for n in SETS}, abs=1e-12)
    assert all(0.02 < ap < 0.98 for ap in result.values())


def test_the_curves_of_the_originals_are_reproduced_on_wider_face():
    vectors = SHARED / "reference" / "vectors" / "widerface_eval_a.npz"
    if not vectors.is_file():
        pytest.skip("needs ../shared with the originals' numbers and WIDER FACE's ground truth")
    with np.load(vectors) as file:
        made = dict(file)
    rows = np.column_stack([made["dets_xywh"], made["scores"].astype(float)])
    keys = [f"{e}/{i}" for e, i in zip(made["events"], made["images"], strict=True)]
    parts = np.split(rows, np.cumsum(made["n_dets"])[:-1])
    images = load_ground_truth(SHARED / "data" / "ground_truth_full")
    curves = precision_recall(dict(zip(keys, parts, strict=True)), images)
    for index, curve in enumerate(curves.values()):
        np.testing.assert_allclose(curve.recall, made["recall"][index], rtol=0, atol=1e-9)
        np.testing.assert_allclose(curve.precision, made["precision"][index], rtol=0, atol=1e-9)
        area = made["ap_easy_medium_hard"][index]
        assert average_precision(curve) == pytest.approx(area, abs=1e-9)
