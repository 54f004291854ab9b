"""The pipeline: order and samples are functions of a counter; batches have a stated shape."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from retinaface_tf.config import DataConfig
from retinaface_tf.data import pipeline
from retinaface_tf.data.pipeline import FACE_COUNTS, TrainingData, sample_index
from retinaface_tf.data.records import check_images
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError
from retinaface_tf.structures import Batch, Faces

SIZE = 32
BATCH = 3
LANDMARKS = "9 9 0 15 9 0 12 12 0 9 15 0 15 15 0 1"
# Images have from no face to four, of different sizes, some with landmarks.
FACES = ["6 6 12 12 " + LANDMARKS, "20 6 5 7", "2 20 6 6", "22 22 9 9"]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Writes five images of noise: image `i` has `i` faces."""
    root = tmp_path_factory.mktemp("few")
    (root / "images/event").mkdir(parents=True)
    rng = np.random.default_rng(3)
    lines = []
    for i in range(5):
        pixels = rng.integers(0, 256, (40 + 5 * i, 60 - 7 * i, 3), np.uint8)
        assert cv2.imwrite(str(root / f"images/event/{i}.jpg"), pixels)
        lines += [f"# event/{i}.jpg", *FACES[:i]]
    (root / "label.txt").write_text("\n".join(lines))
    return read_records(root / "label.txt")


def batches_of(
    records, count: int, *, start: int = 0, batch: int = BATCH, **options
) -> list[Batch]:
    seed = options.pop("seed", 1)
    config = DataConfig(image_size=SIZE, **options)
    dataset = TrainingData(records, config, batch, seed).batches(start)
    return list(dataset.take(count).as_numpy_iterator())


@pytest.fixture(scope="module")
def from_the_start(records):
    """Returns the first ten batches, made by one worker."""
    return batches_of(records, 10, num_workers=1)


def assert_same(one: Batch, other: Batch) -> None:
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("most", "length"), [(0, 16), (16, 16), (17, 32), (2000, 2048)])
def test_faces_are_padded_to_powers_of_two_from_16_for_xla(most, length):
    data = TrainingData(None, DataConfig(), batch=2, seed=1, few_face_counts=True)
    counts = tf.constant([0, most], tf.int64)

    def ragged(*shape, dtype=tf.float32):
        return tf.RaggedTensor.from_row_lengths(tf.ones([most, *shape], dtype), counts)

    faces = Faces(ragged(4), ragged(5, 2), ragged(dtype=tf.bool), ragged(dtype=tf.bool))
    batch = data._pad_faces(Batch(None, faces, None))
    assert batch.faces.landmarks.shape == (2, length, 5, 2)
    assert tf.math.count_nonzero(batch.faces.valid, axis=1).numpy().tolist() == [0, most]


def test_up_to_2048_faces_an_image_make_8_sizes_for_xla():
    assert [count for count in FACE_COUNTS if count <= 2048] == [2**power for power in range(4, 12)]


# The order.


def order_of_epoch(epoch: int, num_images: int, seed: int) -> list[int]:
    counters = tf.range(epoch * num_images, (epoch + 1) * num_images, dtype=tf.int64)
    return [int(sample_index(counter, num_images, seed)) for counter in counters]


@given(num_images=st.integers(1, 40), seed=st.integers(0, 1 << 31), epoch=st.integers(0, 1000))
def test_each_epoch_shows_every_image_once(num_images, seed, epoch):
    assert sorted(order_of_epoch(epoch, num_images, seed)) == list(range(num_images))


def test_every_epoch_and_every_seed_has_an_order_of_its_own():
    orders = {tuple(order_of_epoch(epoch, 20, seed)) for epoch in range(5) for seed in range(5)}
    assert len(orders) == 25


def test_an_image_may_come_at_any_place_of_an_epoch():
    places = [order_of_epoch(epoch, 5, 1).index(0) for epoch in range(300)]
    counts = np.bincount(places, minlength=5)
    assert np.sum((counts - 60) ** 2 / 60) < 18.5  # chi-square, 4 degrees: 1 in 1,000 exceeds it


# Samples.


def test_a_batch_is_uint8_squares_with_faces_in_fractions_of_them(from_the_start):
    for batch in from_the_start:
        faces = batch.faces
        assert isinstance(batch, Batch)
        assert batch.images.shape == (BATCH, SIZE, SIZE, 3)
        assert batch.images.dtype == np.uint8
        assert batch.sample.shape == (BATCH,)
        assert batch.sample.dtype == np.int64
        most = faces.valid.shape[1]
        shapes = [(BATCH, most, 4), (BATCH, most, 5, 2), (BATCH, most), (BATCH, most)]
        assert [part.shape for part in faces] == shapes
        boxes = faces.boxes[faces.valid]
        assert ((boxes >= 0) & (boxes <= 1)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_batches_name_their_images_in_the_order_of_the_counter(records, from_the_start):
    named = np.concatenate([batch.sample for batch in from_the_start])
    in_order = [order_of_epoch(epoch, len(records), 1) for epoch in range(6)]
    np.testing.assert_array_equal(named, np.concatenate(in_order))


def test_faces_are_padded_to_the_batchs_largest_count_at_the_end(from_the_start):
    widths = set()
    for batch in from_the_start:
        counts = batch.faces.valid.sum(axis=1)
        width = batch.faces.valid.shape[1]
        assert width == counts.max()
        np.testing.assert_array_equal(batch.faces.valid, np.arange(width) < counts[:, None])
        padding = ~batch.faces.valid
        assert not batch.faces.boxes[padding].any()
        assert not batch.faces.has_landmarks[padding].any()
        widths.add(width)
    assert len(widths) > 1


def test_an_image_without_faces_has_padding_only(from_the_start):
    samples = [
        (index, valid)
        for batch in from_the_start
        for index, valid in zip(batch.sample, batch.faces.valid, strict=True)
    ]
    assert all(not valid.any() for index, valid in samples if index == 0)
    assert all(valid.any() for index, valid in samples if index > 0)


def test_a_batch_without_any_face_has_none(records):
    alone = [batch for batch in batches_of(records, 5, batch=1) if batch.sample == [0]]
    assert [batch.faces.boxes.shape for batch in alone] == [(1, 0, 4)]


@pytest.mark.parametrize("augmentation", ["biubug6", "mindspore"])
def test_an_image_looks_different_from_epoch_to_epoch(records, augmentation):
    seen = batches_of(records, 4, batch=5, augmentation=augmentation)
    for index in range(1, 5):
        looks = {batch.images[batch.sample == index].tobytes() for batch in seen}
        assert len(looks) > 2  # twice the whole image may be


def test_another_seed_gives_another_order_and_other_samples_of_the_same_images(records):
    one, other = (batches_of(records, 1, batch=40, seed=seed)[0] for seed in (1, 2))
    assert one.sample.tolist() != other.sample.tolist()
    same = (one.sample == other.sample) & (one.sample > 0)  # at the same place of both runs
    assert same.sum() >= 4
    for a, b in zip(one.images[same], other.images[same], strict=True):
        assert not np.array_equal(a, b)


def test_the_shape_of_a_batch_is_known_before_it_is_made(records):
    data = TrainingData(records, DataConfig(image_size=SIZE), BATCH, seed=1)
    spec = data.batches().element_spec
    assert spec.images.shape == (BATCH, SIZE, SIZE, 3)
    assert spec.faces.landmarks.shape.as_list() == [BATCH, None, 5, 2]


# Going on in the middle.


@pytest.mark.parametrize(("start", "num_workers"), [(0, 4), (1, 1), (4, 1), (4, 2), (4, 4)])
def test_starting_at_a_batch_gives_what_a_run_from_the_first_gives(
    records, from_the_start, start, num_workers
):
    batches = batches_of(records, 10 - start, start=start, num_workers=num_workers)
    for one, other in zip(batches, from_the_start[start:], strict=True):
        assert_same(one, other)


def test_the_images_of_a_run_do_not_depend_on_its_batch_size(records, from_the_start):
    twos = batches_of(records, 15, batch=2)
    images = np.concatenate([batch.images for batch in twos])
    np.testing.assert_array_equal(images, np.concatenate([b.images for b in from_the_start]))


# What cannot be read.


@pytest.fixture
def broken(tmp_path):
    """Records of four images, of which the third states 9 colours."""
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    whole = cv2.imencode(".jpg", pixels)[1].tobytes()
    place = whole.index(b"\xff\xc0") + 9
    for name in "abcd":
        file = whole if name != "c" else whole[:place] + b"\x09" + whole[place + 1 :]
        (tmp_path / f"images/{name}.jpg").write_bytes(file)
    (tmp_path / "label.txt").write_text("".join(f"# {n}.jpg\n1 1 9 9\n" for n in "abcd"))
    return read_records(tmp_path / "label.txt")


def twos(records) -> TrainingData:
    return TrainingData(records, DataConfig(image_size=SIZE), batch=2, seed=1)


def test_a_broken_image_stops_the_pipeline_and_is_named_with_file_and_line(broken):
    check_images(broken)  # which does not decode
    data = twos(broken)
    with pytest.raises(InputError) as raised, data.explain(0, 2):
        list(data.batches().take(2))
    place = f"{broken.label_file}:5: {broken.path(2)} "
    assert str(raised.value).startswith(place)
    assert "\n" not in str(raised.value)


def test_an_image_that_fails_in_training_alone_is_named_too(records, monkeypatch):
    def fail(image, window, side):
        tf.debugging.Assert(tf.size(window) > 9, ["no window of 4"])
        return tf.zeros([1, 1, 3], tf.uint8), window

    monkeypatch.setattr(pipeline, "decode_window", fail)
    first = order_of_epoch(0, 5, 1)[0]
    error = str(twos(records).find_unreadable(0, 1))
    assert error.startswith(f"{records.where(first)}: {records.path(first)} ")
    assert "no window of 4" in error


@pytest.mark.parametrize(
    ("shape", "augmentation"), [((1, 500), "biubug6"), ((700, 3), "mindspore")]
)
def test_a_thin_image_is_trained_on(tmp_path, shape, augmentation):
    (tmp_path / "images").mkdir()
    assert cv2.imwrite(str(tmp_path / "images/a.jpg"), np.full((*shape, 3), 9, np.uint8))
    (tmp_path / "label.txt").write_text("# a.jpg\n0 0 1 1\n")
    records = read_records(tmp_path / "label.txt")
    (batch,) = batches_of(records, 1, augmentation=augmentation)
    assert batch.images.shape == (BATCH, SIZE, SIZE, 3)


def test_an_error_that_no_image_explains_stays_as_it_is(records):
    with pytest.raises(tf.errors.OpError, match="of the device"), twos(records).explain(0, 1):
        raise tf.errors.InternalError(None, None, "of the device")


def test_an_image_that_is_gone_is_named_too(broken):
    broken.path(2).unlink()
    error = twos(broken).find_unreadable(0, 2)
    assert str(error).startswith(f"{broken.label_file}:5: {broken.path(2)} ")


def test_the_search_for_a_broken_image_looks_at_the_batches_asked_for(broken):
    for epoch in range(3):
        place = order_of_epoch(epoch, 4, 1).index(2)
        for half in range(2):
            error = twos(broken).find_unreadable(2 * epoch + half, 1)
            assert (error is not None) == (place // 2 == half)
