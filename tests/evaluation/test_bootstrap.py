"""The bootstrap over images: by hand, against AP itself, and that its intervals cover."""

import numpy as np
import pytest

from retinaface_tf.evaluation.average_precision import SETS, GroundTruth, evaluate_predictions
from retinaface_tf.evaluation.bootstrap import ImageCounts, count_by_image, interval, resampled_ap
from retinaface_tf.evaluation.outcome import examine

FACE, AWAY = [10, 10, 19, 19], [200, 200, 19, 19]


def truth(*faces):
    return GroundTruth(
        np.array(faces, float).reshape(-1, 4), dict.fromkeys(SETS, np.ones(len(faces), bool))
    )


def test_what_an_image_adds_is_counted_from_its_threshold_on():
    # Scores 1 and 0 are normalised to themselves: 0.999 is the first threshold that 1 reaches.
    images = {"e/a": truth(FACE), "e/b": truth()}
    predictions = {"e/a": [[*FACE, 0.25], [*AWAY, 1.0], [*AWAY, 0.0]]}
    counts = count_by_image(examine(predictions, images), "hard")
    assert counts.faces.tolist() == [1, 0]
    assert counts.hits[0].tolist() == [0] * 749 + [1] * 251
    assert counts.proposals[0].tolist() == [1] * 749 + [2] * 250 + [3]
    assert not counts.hits[1].any()
    assert not counts.proposals[1].any()


def scene(rng, number):
    """Returns images with faces in places of their own, of which the harder images miss more."""
    images, predictions = {}, {}
    for i in range(number):
        faces = [[30 * k, 0, 19, 19] for k in range(rng.integers(1, 6))]
        found = rng.random(len(faces)) < rng.beta(4, 2)
        right = [[*f, rng.beta(4, 1)] for f, seen in zip(faces, found, strict=True) if seen]
        false = [[30 * k, 300, 19, 19, rng.beta(1, 2)] for k in range(rng.integers(0, 4))]
        images[f"e/{i}"] = truth(*faces)
        # So that scores are normalised alike whatever images there are.
        predictions[f"e/{i}"] = np.array([*right, *false, [0, 600, 9, 9, 0.0], [0, 600, 9, 9, 1.0]])
    return predictions, images


def test_ap_of_a_resample_is_that_of_its_images():
    predictions, images = scene(np.random.default_rng(0), 30)
    counts = count_by_image(examine(predictions, images), "hard")
    drawn = np.random.default_rng(5).multinomial(30, np.full(30, 1 / 30), 1)[0]
    chosen = [i for i, times in enumerate(drawn) for _ in range(times)]
    again = {f"e/{n}": f"e/{i}" for n, i in enumerate(chosen)}
    expected = evaluate_predictions(
        {new: predictions[old] for new, old in again.items()},
        {new: images[old] for new, old in again.items()},
    )
    (found,) = resampled_ap([counts], 1, seed=5)
    assert found[0] == pytest.approx(expected["hard"], abs=1e-12)


def test_runs_get_the_same_draws():
    predictions, images = scene(np.random.default_rng(0), 30)
    counts = count_by_image(examine(predictions, images), "hard")
    first, second = resampled_ap([counts, counts], 100, seed=1)
    np.testing.assert_array_equal(first, second)
    assert np.ptp(first) > 0.01
    other = counts.of(np.arange(29))
    with pytest.raises(ValueError, match="expected the same images"):
        resampled_ap([counts, other], 100, seed=1)


def test_an_interval_leaves_out_as_much_below_as_above():
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))


def test_intervals_cover_the_ap_of_the_images_that_they_were_drawn_from():
    rng = np.random.default_rng(2)
    whole = count_by_image(examine(*scene(rng, 3000)), "hard")
    everyone = ImageCounts(*(each.sum(axis=0, keepdims=True) for each in whole))
    true = resampled_ap([everyone], 1, seed=0)[0, 0]
    covered, widths = 0, []
    for _ in range(100):
        sample = whole.of(rng.choice(3000, 80))
        low, high = interval(resampled_ap([sample], 200, seed=0)[0])
        covered += low <= true <= high
        widths.append(high - low)
    assert 88 <= covered <= 100  # of a true 95 in 100 it is less once in 500 times
    assert np.mean(widths) < 0.2
