"""Augmentation: faces stay where their pixels are, laws, and the original's own draws replayed."""

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.data.augment import (
    RECIPES,
    Source,
    augment,
    mirror,
    pad_to_square,
    place,
    resize_to_square,
)
from retinaface_tf.data.colour import jitter_colour
from retinaface_tf.data.crops import (
    BIUBUG6_SCALES,
    CROP_TRIES,
    SCRFD_SCALES,
    choose_window,
    choose_window_mindspore,
    crop_faces,
    drop_small_faces,
    mask_hidden_landmarks,
)
from retinaface_tf.structures import Faces

MEAN_PIXEL = (123, 117, 104)  # red, green, blue
SIZE = 64  # of the network's input in these tests
WINDOW = [20, 10, 40, 30]  # x y width height: from (20, 10) to (60, 40)

INT32 = tf.TensorSpec([None], tf.int32)
SEED = tf.TensorSpec([2], tf.int64)
FACES = Faces(
    tf.TensorSpec([None, 4], tf.float32),
    tf.TensorSpec([None, 5, 2], tf.float32),
    tf.TensorSpec([None], tf.bool),
    tf.TensorSpec([None], tf.bool),
)


def faces_of(*boxes, landmarks=None, has_landmarks=None, valid=None) -> Faces:
    """Returns faces with these boxes, their landmarks where eyes, nose and mouth are in a box."""
    boxes = np.reshape(np.float32(boxes), (-1, 4))
    if landmarks is None:
        places = np.float32([[0.25, 0.25], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0.75, 0.75]])
        landmarks = boxes[:, None, :2] + places * (boxes[:, 2:] - boxes[:, :2])[:, None]
    some = np.ones(len(boxes), bool)
    return Faces(
        boxes=tf.constant(boxes),
        landmarks=tf.constant(landmarks, tf.float32),
        has_landmarks=tf.constant(some if has_landmarks is None else has_landmarks),
        valid=tf.constant(some if valid is None else valid),
    )


def augment_pixels(image, faces, *others):
    """Augments an image that is decoded already."""

    def crop(window, _):
        x, y, width, height = tf.unstack(window)
        return image[y : y + height, x : x + width], window

    return augment(Source(tf.shape(image)[:2], crop, faces), *others)


def seed_of(*numbers: int) -> tf.Tensor:
    return tf.constant(numbers, tf.int64)


def each_seed(function, count: int, spec=tf.int32) -> np.ndarray:
    """Calls a function of a seed for `count` seeds."""

    @tf.function
    def all_seeds():
        counters = tf.range(count, dtype=tf.int64)
        seeds = tf.stack([tf.ones_like(counters), counters], axis=1)
        return tf.map_fn(function, seeds, fn_output_signature=spec)

    return all_seeds().numpy()


# Faces in a window.


def test_a_face_is_kept_when_its_centre_is_in_the_window():
    left, inside, below = [0, 20, 30, 30], [50, 15, 66, 25], [30, 35, 40, 47]
    cropped = crop_faces(faces_of(left, inside, below), WINDOW)
    assert cropped.boxes.numpy().tolist() == [[30, 5, 40, 15]]


def test_a_centre_on_the_windows_border_is_outside():
    borders = ([10, 20, 30, 30], [50, 20, 70, 30], [30, 5, 40, 15], [30, 35, 40, 45])
    assert crop_faces(faces_of(*borders), WINDOW).boxes.shape == (0, 4)


def test_boxes_are_clipped_to_the_window_and_counted_from_its_corner():
    cropped = crop_faces(faces_of([0, 0, 90, 70], [30, 20, 40, 30]), WINDOW)
    assert cropped.boxes.numpy().tolist() == [[0, 0, 40, 30], [10, 10, 20, 20]]
    assert cropped.valid.numpy().tolist() == [True, True]


def test_landmarks_are_counted_from_the_windows_corner():
    cropped = crop_faces(faces_of([30, 20, 50, 40]), WINDOW)
    expected = [[15, 15], [25, 15], [20, 20], [15, 25], [25, 25]]
    assert cropped.landmarks[0].numpy().tolist() == expected
    assert cropped.has_landmarks.numpy().tolist() == [True]


def test_one_landmark_outside_the_window_stays_at_its_true_place_until_it_is_masked():
    cut, whole = [42, 12, 74, 28], [20, 10, 60, 40]
    cropped = crop_faces(faces_of(cut, whole), WINDOW)
    assert cropped.boxes.numpy().tolist() == [[22, 2, 40, 18], [0, 0, 40, 30]]
    assert cropped.landmarks[0, 1].numpy().tolist() == [46, 6]
    assert cropped.has_landmarks.numpy().tolist() == [True, True]
    masked = mask_hidden_landmarks(cropped, tf.constant(WINDOW))
    assert masked.has_landmarks.numpy().tolist() == [False, True]
    assert masked.boxes.numpy().tolist() == cropped.boxes.numpy().tolist()


@pytest.mark.parametrize(("recipe", "is_trained"), [("biubug6", False), ("mindspore", True)])
def test_a_face_with_a_landmark_outside_trains_it_as_the_recipes_author_does(recipe, is_trained):
    # The label puts the nose beyond the image, where no window can show it.
    points = np.float32([[[5, 5], [15, 5], [200, 10], [5, 15], [15, 15]]])
    faces = faces_of([0, 0, 20, 20], landmarks=points)
    image = tf.zeros([20, 20, 3], tf.uint8)
    sample = augment_pixels(image, faces, seed_of(1, 2), recipe, 20)
    assert sample.faces.has_landmarks.numpy().tolist() == [is_trained]
    nose = sample.faces.landmarks[0, 2, 0].numpy()
    assert nose == pytest.approx(10) or nose == pytest.approx(-9)  # mirrored


def test_a_landmark_on_the_windows_border_is_shown():
    corners = [[[20, 10], [60, 10], [40, 25], [20, 40], [60, 40]]]
    cropped = crop_faces(faces_of([20, 10, 60, 40], landmarks=corners), WINDOW)
    masked = mask_hidden_landmarks(cropped, tf.constant(WINDOW))
    assert masked.has_landmarks.numpy().tolist() == [True]


@pytest.mark.parametrize("shape", [(1, 20_000), (20_000, 3)])
def test_a_very_long_image_is_no_square_of_its_length_in_memory(shape):
    image = tf.fill([*shape, 3], 200.0)
    small = resize_to_square(image, SIZE).numpy()
    assert small.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(small[0, 0], 200)
    np.testing.assert_allclose(small[-1, -1], MEAN_PIXEL, atol=0.5)


def test_a_face_without_landmarks_gets_none_by_cropping():
    nothing = np.zeros((1, 5, 2))  # the corner of the image, which this window shows
    faces = faces_of([2, 2, 8, 8], landmarks=nothing, has_landmarks=[False])
    assert crop_faces(faces, [0, 0, 9, 9]).has_landmarks.numpy().tolist() == [False]


def test_what_is_no_face_is_not_kept():
    faces = faces_of([30, 20, 40, 30], [31, 21, 41, 31], valid=[False, True])
    assert crop_faces(faces, WINDOW).boxes.numpy().tolist() == [[11, 11, 21, 21]]


def test_a_window_beside_all_faces_keeps_empty_arrays():
    for faces in (faces_of(), faces_of([90, 90, 99, 99])):
        shapes = [part.shape for part in crop_faces(faces, WINDOW)]
        assert shapes == [(0, 4), (0, 5, 2), (0,), (0,)]


def test_faces_of_a_pixel_or_less_at_the_networks_scale_are_dropped():
    faces = faces_of([0, 0, 2, 9], [0, 0, 9, 2], [0, 0, 2.1, 2.1])
    left = drop_small_faces(faces, tf.constant([0, 0, 50, 100]), 50)  # shown at half its size
    np.testing.assert_array_equal(left.boxes, faces.boxes[2:])
    assert [len(part) for part in left] == [1] * 4


# Mirroring and padding.

grid = st.integers(0, 1024).map(lambda i: i / 1024)  # 1 - x is exact
points = st.lists(st.tuples(grid, grid), min_size=5, max_size=5)


@given(st.lists(st.tuples(grid, grid, grid, grid, points), max_size=4))
def test_mirroring_twice_changes_nothing(rows):
    landmarks = np.reshape([row[4] for row in rows], (-1, 5, 2))
    faces = faces_of(*[row[:4] for row in rows], landmarks=landmarks)
    image = tf.constant(np.random.default_rng(len(rows)).integers(0, 256, (4, 5, 3), np.uint8))
    twice = mirror(*mirror(image, faces))
    np.testing.assert_array_equal(twice.image, image)
    for back, before in zip(twice.faces, faces, strict=True):
        np.testing.assert_array_equal(back, before)


def test_mirroring_turns_left_eyes_and_mouth_corners_into_right_ones():
    image = tf.constant([[[1], [2], [3]]])
    landmarks = [[[0.25, 0.1], [0.5, 0.2], [0.375, 0.3], [0.125, 0.4], [0.625, 0.5]]]
    mirrored = mirror(image, faces_of([0.125, 0.25, 0.75, 0.5], landmarks=landmarks))
    assert mirrored.image.numpy().ravel().tolist() == [3, 2, 1]
    assert mirrored.faces.boxes.numpy().tolist() == [[0.25, 0.25, 0.875, 0.5]]
    expected = [[[0.5, 0.2], [0.75, 0.1], [0.625, 0.3], [0.375, 0.5], [0.875, 0.4]]]
    np.testing.assert_allclose(mirrored.faces.landmarks, expected, rtol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(3, 5), (5, 3), (4, 4), (1, 2)])
def test_an_image_is_padded_to_a_square_at_the_right_or_bottom_with_the_mean_pixel(height, width):
    image = np.random.default_rng(1).uniform(0, 255, (height, width, 3)).astype(np.float32)
    padded = pad_to_square(tf.constant(image)).numpy()
    side = max(height, width)
    assert padded.shape == (side, side, 3)
    np.testing.assert_allclose(padded[:height, :width], image, atol=2e-5)
    assert (padded[height:] == MEAN_PIXEL).all()
    assert (padded[:, width:] == MEAN_PIXEL).all()


# Windows.

CHOOSE = {
    "biubug6": tf.function(
        lambda size, faces, seed: choose_window(size, faces, seed, BIUBUG6_SCALES),
        input_signature=[INT32, FACES, SEED],
    ),
    "mindspore": tf.function(
        lambda size, faces, seed: choose_window_mindspore(size, faces, seed, SIZE),
        input_signature=[INT32, FACES, SEED],
    ),
}
choosing = pytest.mark.parametrize("choose", CHOOSE.values(), ids=CHOOSE.keys())
sides = st.integers(1, 200)
spans = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@choosing
@given(
    size=st.tuples(sides, sides),
    spans=st.lists(st.tuples(spans, spans), max_size=4),
    number=st.integers(0, 1 << 62),
)
def test_a_window_is_a_square_in_the_image_with_a_whole_face_or_the_whole_image(
    choose, size, spans, number
):
    height, width = size
    faces = faces_of(*[np.transpose(span) * [width, height] for span in spans])
    x, y, w, h = choose(size, faces, seed_of(1, number)).numpy().tolist()
    if [x, y, w, h] == [0, 0, width, height]:
        return
    assert w == h
    assert min(x, y) >= 0
    assert x + w <= width
    assert y + h <= height
    boxes = faces.boxes.numpy()
    inside = (boxes[:, :2] >= [x, y]) & (boxes[:, 2:] <= [x + w, y + h])
    assert inside.all(axis=1).any()


@choosing
@pytest.mark.parametrize(
    "faces",
    [
        pytest.param(faces_of(), id="no face"),
        pytest.param(faces_of([5, 5, 195, 95]), id="a face larger than any square"),
        pytest.param(faces_of([-10, -10, 210, 110]), id="a face larger than the image"),
        pytest.param(faces_of([300, 10, 320, 30]), id="a face outside"),
        pytest.param(faces_of([50, 50, 60, 60], valid=[False]), id="padding"),
    ],
)
def test_where_no_square_holds_a_face_the_whole_image_is_taken(choose, faces):
    for number in range(5):
        window = choose([100, 200], faces, seed_of(3, number))
        assert window.numpy().tolist() == [0, 0, 200, 100]


@choosing
def test_a_face_that_only_few_squares_hold_is_found(choose):
    face = faces_of([10, 10, 100, 100])  # only squares of nearly the full height hold it
    windows = [choose([110, 150], face, seed_of(0, n)).numpy().tolist() for n in range(20)]
    assert all(w == h for _, _, w, h in windows)
    assert all(x <= 10 and x + w >= 100 for x, _, w, _ in windows)


@pytest.fixture(scope="module")
def windows() -> dict[str, np.ndarray]:
    """Chooses by 800 seeds and each recipe in an image of 100 x 140, where any square will do."""
    x, y = np.meshgrid(np.arange(0, 140, 10), np.arange(0, 100, 10))
    everywhere = faces_of(*np.stack([x, y, x + 2, y + 2], axis=-1).reshape(-1, 4))
    size = tf.constant([100, 140])
    return {
        recipe: each_seed(lambda seed, choose=choose: choose(size, everywhere, seed), 800)
        for recipe, choose in CHOOSE.items()
    }


def test_the_five_scales_are_equally_likely_where_every_square_will_do(windows):
    sides, counts = np.unique(windows["biubug6"][:, 2], return_counts=True)
    assert sides.tolist() == [round(100 * scale) for scale in BIUBUG6_SCALES]
    assert np.sum((counts - 160) ** 2 / 160) < 18.5  # chi-square, 4 degrees: 1 in 1,000 exceeds it


def test_a_fifth_of_the_seeds_squares_is_full_and_the_rest_of_any_scale(windows):
    sides = windows["mindspore"][:, 2]
    assert abs(np.mean(sides == 100) - 0.2) < 0.042  # three standard deviations
    smaller = sides[sides < 100]
    # floor(U(30, 100)) is one of 70 values: mean 64.5, standard deviation 20.2.
    assert smaller.min() == 30
    assert smaller.max() == 99
    assert abs(smaller.mean() - 64.5) < 3 * 20.2 / np.sqrt(len(smaller))
    assert abs(smaller.std() - 20.2) < 1.5


@pytest.mark.parametrize("recipe", CHOOSE)
def test_squares_lie_evenly_over_the_image(windows, recipe):
    x, y, side, _ = windows[recipe].T.astype(float)
    smaller = side < 100
    # The originals never draw the last place, where the square ends with the image.
    across = (x + 0.5) / (140 - side)
    down = (y + 0.5)[smaller] / (100 - side)[smaller]
    for fraction in (across, down):
        assert fraction.max() < 1
        assert abs(fraction.mean() - 0.5) < 3 / np.sqrt(12 * len(fraction))
        assert abs(fraction.std() - 1 / np.sqrt(12)) < 0.03


def test_squares_of_the_recipe_that_zooms_out_lie_evenly_over_the_image_and_it_over_them():
    everywhere = faces_of(*[[x, 50, x + 2, 52] for x in range(0, 140, 10)])
    size = tf.constant([100, 140])
    windows = each_seed(lambda seed: choose_window(size, everywhere, seed, SCRFD_SCALES), 800)
    x, y, side, _ = windows.T.astype(float)
    assert sorted(set(side)) == [30, 45, 60, 80, 100, 120, 140, 160, 180, 200]
    wide = side == 200
    # Whole numbers from 140 - 200 and 100 - 200 up to -1.
    assert (x[wide].min() >= -60) & (x[wide].max() < 0)
    assert abs(x[wide].mean() + 30) < 3 * 60 / np.sqrt(12 * wide.sum())
    assert (y[wide].min() >= -100) & (y[wide].max() < 0)
    assert abs(y[wide].mean() + 50) < 3 * 100 / np.sqrt(12 * wide.sum())


def test_pixels_are_placed_in_the_window_by_whole_and_half_pixels():
    image = tf.constant([[[200.0] * 3, [100.0] * 3]])
    window = tf.constant([-1, -2, 4, 4])
    placed = place(image, tf.constant([0, 0, 2, 1]), window, 4).numpy()
    np.testing.assert_allclose(placed[2, 1:3], [[200] * 3, [100] * 3], atol=1e-3)
    placed[2, 1:3] = MEAN_PIXEL
    np.testing.assert_allclose(placed, np.broadcast_to(MEAN_PIXEL, (4, 4, 3)), atol=1e-3)
    # At twice the size, each pixel's centre lies between two of the result.
    larger = place(image, tf.constant([0, 0, 2, 1]), window, 8).numpy()
    np.testing.assert_allclose(larger[4, 2:6, 0], [200, 175, 125, 100], atol=1e-3)
    np.testing.assert_allclose(larger[4, [1, 6]], [MEAN_PIXEL] * 2, atol=1e-3)


def test_the_seeds_recipe_takes_no_square_that_shrinks_its_faces_to_nothing():
    choose = CHOOSE["mindspore"]
    face = faces_of([500, 500, 512, 512])  # more than a pixel where the side is below 768
    sides = [choose([1000, 1000], face, seed_of(1, n)).numpy()[2] for n in range(100)]
    squares = [side for side in sides if side < 1000]
    assert max(squares) < 64 * 12
    assert 50 < len(squares) < 95  # of two squares, one is often small enough, not always
    tiny = faces_of([500, 500, 504, 504])  # at best 64 / 300 of it
    for number in range(5):
        window = choose([1000, 1000], tiny, seed_of(1, number))
        assert window.numpy().tolist() == [0, 0, 1000, 1000]


# Colour.


class Scripted:
    """Stands in for `tf.random.stateless_uniform` and answers with prepared draws.

    Args:
        odds: what each coin shows, in order.
        amounts: how much each change changes, in order; NaN for changes that are not made.
        tries: scale, x, y of each square tried; the last is repeated.
        size: height and width of the image that squares are tried on.
    """

    def __init__(self, odds, amounts, tries=(), size=(1, 1)):
        self.odds, self.amounts = list(odds), list(amounts)
        self.tries = np.array([*tries, *tries[-1:] * CROP_TRIES][:CROP_TRIES])
        self.size = size

    def __call__(self, shape, seed, minval=0, maxval=None, dtype=tf.float32):
        if len(shape) == 2:  # where the squares lie
            height, width = self.size
            side = np.floor(self.tries[:, :1] * min(self.size))
            free = np.maximum([[width, height]] - side, 1)
            return tf.constant((self.tries[:, 1:] + 0.5) / free, dtype)
        if len(shape) == 1:
            return tf.constant(np.searchsorted(BIUBUG6_SCALES, self.tries[:, 0]), dtype)
        if maxval is not None:
            return tf.constant(self.amounts.pop(0), dtype)
        return tf.constant(0.0 if self.odds.pop(0) else 0.9, dtype)


@pytest.fixture
def script(monkeypatch):
    def install(*args, **kwargs) -> Scripted:
        scripted = Scripted(*args, **kwargs)
        monkeypatch.setattr(tf.random, "stateless_uniform", scripted)
        return scripted

    return install


NO = np.nan  # an amount that nobody may use


@pytest.mark.parametrize(
    ("odds", "amounts", "expected"),
    [
        pytest.param([1, 0, 0, 0, 0], [NO] * 4, [200, 100, 50], id="nothing"),
        pytest.param([1, 1, 0, 0, 0], [-20, NO, NO, NO], [180, 80, 30], id="brightness"),
        pytest.param([1, 0, 1, 0, 0], [NO, 1.5, NO, NO], [255, 150, 75], id="contrast"),
        pytest.param([1, 0, 0, 1, 0], [NO, NO, 0.5, NO], [200, 150, 125], id="saturation"),
        pytest.param([1, 0, 0, 0, 1], [NO, NO, NO, 1 / 3], [50, 200, 100], id="hue"),
        pytest.param([1, 0, 1, 1, 0], [NO, 1.5, 0.5, NO], [255, 202.5, 165], id="contrast first"),
        pytest.param([0, 0, 1, 0, 1], [NO, 0.5, NO, 1.5], [255, 225, 187.5], id="contrast last"),
    ],
)
def test_each_change_of_colour_does_what_it_is_called(script, odds, amounts, expected):
    script(odds, amounts)
    image = tf.constant([[[200.0, 100.0, 50.0]]])
    np.testing.assert_allclose(jitter_colour(image, seed_of(0, 0))[0, 0], expected, atol=0.01)


@given(st.integers(0, 1 << 62), st.booleans())
def test_colours_stay_float32_between_0_and_255(number, extreme):
    rng = np.random.default_rng(number)
    image = rng.choice([0, 255], (5, 6, 3)) if extreme else rng.uniform(0, 255, (5, 6, 3))
    changed = jitter_colour(tf.constant(image, tf.float32), seed_of(1, number)).numpy()
    assert changed.dtype == np.float32
    assert changed.shape == image.shape
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_changes_of_colour_have_even_odds_and_their_stated_ranges():
    def grey_and_colour(seed):
        pixels = tf.constant([[[128.0, 128.0, 128.0]], [[160.0, 120.0, 90.0]]])
        return jitter_colour(pixels, seed)

    changed = each_seed(grey_and_colour, 2000, tf.float32)
    grey, colour = changed[:, 0, 0], changed[:, 1, 0]
    assert np.ptp(grey, axis=1).max() < 0.01  # grey has neither hue nor saturation
    grey = grey[:, 0]
    assert grey.min() >= (128 - 32) * 0.5
    assert grey.max() <= (128 + 32) * 1.5
    assert np.abs(grey.mean() - 128) < 3  # sides are equally likely
    # Left alone: by brightness and contrast a quarter, by all four a sixteenth.
    assert abs(np.mean(np.abs(grey - 128) < 1e-3) - 1 / 4) < 0.03
    assert abs(np.mean(np.abs(colour - [160, 120, 90]).max(axis=1) < 1e-2) - 1 / 16) < 0.02


def test_contrast_comes_first_as_often_as_last(monkeypatch):
    real = tf.random.stateless_uniform

    def with_full_amounts(shape, seed, minval=0, maxval=None):
        return real(shape, seed) if maxval is None else tf.constant(maxval, tf.float32)

    monkeypatch.setattr(tf.random, "stateless_uniform", with_full_amounts)
    pixel = tf.constant([[[200.0, 160.0, 120.0]]])
    changed = each_seed(lambda seed: jitter_colour(pixel, seed)[0, 0], 2000, tf.float32)
    # Contrast and saturation alone are a sixteenth; contrast clips the red, hence two results.
    first, last = [255, 232.5, 142.5], [255, 210, 120]
    counts = [np.sum(np.abs(changed - result).max(axis=1) < 0.01) for result in (first, last)]
    assert all(40 < count < 85 for count in counts), counts


# The original's numbers.


def draws_of(vector: np.ndarray, size=(1, 1)) -> dict:
    """Returns what the original drew, as `Scripted` wants it."""
    calls = json.loads(str(vector))
    coins = [i for i, (name, limits, _) in enumerate(calls) if (name, limits) == ("randrange", [2])]
    amounts = [_amount(*calls[i + 1]) if calls[i][2] else NO for i in coins[1:5]]
    return {
        "odds": [calls[i][2] for i in coins],
        "amounts": amounts,
        "tries": _tries(calls[: coins[0]], *size),
        "size": size,
    }


def _amount(name: str, limits: list[float], value: float) -> float:
    """Converts an amount: OpenCV's hues of uint8 images go from 0 to 180."""
    return value / 180 if name == "randint" else value


def _tries(calls: list, height: int, width: int) -> list[list[float]]:
    """Returns scale, x and y of the squares; a place is drawn only where there is a choice."""
    names = [name for name, *_ in calls]
    drawn = iter(calls[names.index("choice") :] if "choice" in names else [])
    tries = []
    for _, _, scale in drawn:
        side = int(scale * min(height, width))
        tries.append([scale, *(next(drawn)[2] if side < free else 0 for free in (width, height))])
    return tries


@pytest.mark.parametrize("case", range(6))
def test_the_originals_draws_give_the_originals_colours(vectors, script, case):
    original = vectors("distort_biubug6")
    script(**draws_of(original[f"draws_{case}"]))
    image = tf.constant(original["image"][..., ::-1], tf.float32)
    theirs = original[f"out_{case}"][..., ::-1].astype(np.float32)
    difference = np.abs(jitter_colour(image, seed_of(0, 0)) - theirs)
    # OpenCV keeps uint8 after each step, and hues of two degrees.
    assert difference.mean() < 2
    assert difference.max() < 8


def faces_of_targets(targets: np.ndarray) -> Faces:
    """Returns the original's rows: box, ten coordinates, 1 or -1 without landmarks."""
    landmarks = targets[:, 4:14].reshape(-1, 5, 2)
    return faces_of(targets[:, :4], landmarks=landmarks, has_landmarks=targets[:, 14] > 0)


CASES = [*(f"{k}" for k in range(8)), "pad_0", "pad_1"]


@pytest.fixture(params=CASES)
def case(request, vectors):
    """Returns one run of the original: faces given, its draws, faces and image it made of them."""
    original = vectors("augment_biubug6")
    pad, _, k = request.param.rpartition("_")
    pad += "_" if pad else ""
    return {
        "image": tf.constant(original["image"][..., ::-1]),
        "faces": faces_of_targets(original[pad + "targets"]),
        "draws": draws_of(original[f"{pad}draws_{k}"], original["image"].shape[:2]),
        "expected": original[f"{pad}out_targets_{k}"],
        "expected_image": original[f"{pad}out_image_{k}"][..., ::-1],
        "is_linear": json.loads(str(original[f"{pad}draws_{k}"]))[-1] == ["randrange", [5], 0],
    }


def test_the_originals_draws_give_the_originals_faces_and_image(script, case):
    scripted = script(**case["draws"])
    image, faces = augment_pixels(case["image"], case["faces"], seed_of(0, 0), "biubug6", 128)
    assert not scripted.odds
    expected = case["expected"]
    np.testing.assert_allclose(faces.boxes, expected[:, :4], atol=1e-6)
    # The original clamps to the border what is masked here.
    theirs = expected[:, 4:14].reshape(-1, 5, 2)
    ours = faces.landmarks.numpy()
    labelled = expected[:, 14] > 0
    np.testing.assert_allclose(ours.clip(0, 1)[labelled], theirs[labelled], atol=1e-6)
    shown = ((ours >= 0) & (ours <= 1)).all(axis=(1, 2))
    np.testing.assert_array_equal(faces.has_landmarks, labelled & shown)
    # On noise, interpolations differ: the original draws one of five, here all is bilinear.
    difference = np.abs(image[::4, ::4].numpy() - case["expected_image"].astype(float))
    assert difference.mean() < (2 if case["is_linear"] else 8)


# All recipes, from end to end.

AUGMENT = {
    recipe: tf.function(
        lambda *sample, recipe=recipe: augment_pixels(*sample, recipe, SIZE),
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8), FACES, SEED],
    )
    for recipe in RECIPES
}
augmenting = pytest.mark.parametrize("augmented", AUGMENT.values(), ids=AUGMENT.keys())


def noise(height: int, width: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8))


@augmenting
@pytest.mark.parametrize(
    ("image", "faces"),
    [
        pytest.param(noise(60, 90), faces_of([5, 5, 20, 25], [50, 30, 88, 60]), id="lying"),
        pytest.param(noise(90, 60), faces_of([5, 5, 20, 25], [40, 30, 70, 99]), id="upright"),
        pytest.param(noise(50, 50), faces_of([9, 9, 10, 10]), id="a face of a pixel"),
        pytest.param(noise(40, 60), faces_of([-5, -5, 70, 50]), id="a face around the image"),
        pytest.param(noise(40, 60), faces_of([90, 90, 99, 99]), id="a face outside"),
        pytest.param(noise(40, 60), faces_of(), id="no face"),
        pytest.param(noise(1, 1), faces_of([0, 0, 1, 1]), id="an image of a pixel"),
        pytest.param(noise(1, 300), faces_of([0, 0, 300, 1]), id="an image of one row"),
    ],
)
def test_a_sample_is_a_uint8_square_with_faces_in_fractions_of_it(augmented, image, faces):
    for number in range(20):
        sample = augmented(image, faces, seed_of(1, number))
        assert sample.image.shape == (SIZE, SIZE, 3)
        assert sample.image.dtype == tf.uint8
        boxes, points = sample.faces.boxes.numpy(), sample.faces.landmarks.numpy()
        assert boxes.dtype == points.dtype == np.float32
        assert boxes.shape[1:] == (4,)
        assert points.shape == (len(boxes), 5, 2)
        assert ((boxes >= 0) & (boxes <= 1)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        shown = points[sample.faces.has_landmarks.numpy()]
        if augmented is AUGMENT["biubug6"]:  # the other trains those outside, too
            assert ((shown >= 0) & (shown <= 1)).all()
        assert sample.faces.valid.numpy().all()


@augmenting
def test_the_same_seed_gives_the_same_sample_and_another_one_another(augmented):
    image, faces = noise(60, 90), faces_of([5, 5, 20, 25], [50, 30, 88, 60])
    first, again = (augmented(image, faces, seed_of(4, 2)) for _ in range(2))
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(again), strict=True):
        np.testing.assert_array_equal(one, other)
    for seed in (seed_of(4, 3), seed_of(5, 2)):
        other = augmented(image, faces, seed)
        assert np.mean(other.image.numpy() == first.image.numpy()) < 0.5


@augmenting
def test_boxes_and_landmarks_stay_on_their_pixels_mirrored_or_not(augmented):
    # A bright face, dark at the left eye, nose and mouth; its right eye is closed.
    faces = faces_of([60, 30, 110, 90])
    image = np.zeros((120, 160, 3), np.uint8)
    image[30:90, 60:110] = 255
    for x, y in faces.landmarks[0].numpy()[[0, 2, 3, 4]].astype(int):
        image[y - 5 : y + 5, x - 5 : x + 5] = 0
    closed = []
    for number in range(40):
        sample = augmented(tf.constant(image), faces, seed_of(6, number))
        pixels = sample.image.numpy()
        bright = (pixels.max(axis=2) > 60) & (pixels != MEAN_PIXEL).any(axis=2)
        rows, columns = np.nonzero(bright)
        shown = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(sample.faces.boxes[0] * SIZE, shown, atol=1.1)
        assert sample.faces.has_landmarks.numpy().tolist() == [True]
        points = sample.faces.landmarks[0].numpy() * SIZE
        left_eye, right_eye, nose, left_mouth, right_mouth = points
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < nose[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]
        (index,) = [i for i, (x, y) in enumerate(points.astype(int)) if bright[y, x]]
        closed.append(index)
    assert set(closed) == {0, 1}  # of a mirrored face it is the left eye
    assert 10 < sum(closed) < 30


def test_the_seeds_recipe_drops_faces_of_less_than_a_pixel_and_biubug6s_keeps_them():
    large, tiny = [50, 50, 300, 300], [150, 150, 152, 152]  # at best 2 * 64 / 251 pixels
    counts = {
        recipe: {
            len(augmented(noise(400, 400), faces_of(large, tiny), seed_of(1, number)).faces.boxes)
            for number in range(8)
        }
        for recipe, augmented in AUGMENT.items()
    }
    assert counts["mindspore"] == {1}
    assert 2 in counts["biubug6"]


def test_faces_are_where_a_decoder_that_reduces_images_shows_them():
    # The only square that holds this face is the whole image; its last row and column get lost.
    faces = faces_of([10, 20, 60, 61])
    image = np.zeros((61, 61, 3), np.uint8)
    image[20:61, 10:60] = 255

    def reduce(window, _):
        x, y, width, height = tf.unstack(window // 2 * 2)
        return image[y : y + height : 2, x : x + width : 2], tf.stack([x, y, width, height])

    sample = augment(Source([61, 61], reduce, faces), seed_of(1, 1), "mindspore", 30)
    rows, columns = np.nonzero(sample.image.numpy().max(axis=2))
    shown = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(sample.faces.boxes[0] * 30, shown, atol=1e-5)


@pytest.mark.parametrize("augmented", [AUGMENT["biubug6"], AUGMENT["mindspore"]])
def test_padding_is_the_mean_pixel_whatever_the_colours_become(augmented):
    image, faces = noise(40, 80), faces_of([5, 5, 75, 35])  # no square holds it
    for number in range(10):
        sample = augmented(image, faces, seed_of(8, number))
        assert (sample.image.numpy()[SIZE // 2 + 1 :] == MEAN_PIXEL).all()
        np.testing.assert_allclose(sample.faces.boxes[0, 1::2], [5 / 80, 35 / 80])
