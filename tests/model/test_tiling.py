"""Tiles: how images are cut, and that a tiled answer is that of the whole image."""

from dataclasses import replace
from functools import cache
from itertools import pairwise, product
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import tensorflow as tf
from bright_cells import ANCHORS_OF_CELLS, BrightCells
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import KDTree

from retinaface_tf.config import DetectorConfig, ModelConfig
from retinaface_tf.geometry.anchors import make_anchors
from retinaface_tf.model.backbones import BACKBONES
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.network import build_network
from retinaface_tf.model.tiling import COARSEST_STRIDE, MARGIN, TiledDetector, plan_tiles
from retinaface_tf.structures import DetectionBatch

BUDGET = 4_000_000  # the least that a config may have
CELL = 32

sizes = st.integers(1, 20_000)
budgets = st.integers(BUDGET, 3 * BUDGET)


class Tile(NamedTuple):
    window: tuple[int, ...]
    core: tuple[int, ...]


def tiles_of(height, width, budget):
    windows, cores = (part.numpy().tolist() for part in plan_tiles(height, width, budget))
    return [Tile(tuple(window), tuple(core)) for window, core in zip(windows, cores, strict=True)]


def pixels(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def test_an_image_within_the_budget_is_one_tile():
    whole = (0, 0, 2000, 2000)
    assert tiles_of(2000, 2000, BUDGET) == [(whole, whole)]


def test_an_image_of_one_row_too_many_is_cut():
    assert len(tiles_of(2001, 2000, BUDGET)) > 1


def test_an_elongated_image_is_cut_across_alone():
    # Windows of 4000, so cores of 2848 apart from the outer margins: four, evenly 2240.
    tiles = tiles_of(1000, 10_000, BUDGET)
    cores = [(0, 2816), (2816, 5056), (5056, 7296), (7296, 10_000)]
    windows = [(0, 3392), (2240, 5632), (4480, 7872), (6720, 10_000)]
    assert [tile.core for tile in tiles] == [(x1, 0, x2, 1000) for x1, x2 in cores]
    assert [tile.window for tile in tiles] == [(x1, 0, x2, 1000) for x1, x2 in windows]


@given(sizes, sizes, budgets)
def test_an_image_on_its_side_has_its_tiles_on_their_sides(height, width, budget):
    upright = sum(pixels(tile.window) for tile in tiles_of(height, width, budget))
    assert upright == sum(pixels(tile.window) for tile in tiles_of(width, height, budget))


@given(sizes, sizes, budgets)
def test_cores_partition_the_image(height, width, budget):
    cores = [tile.core for tile in tiles_of(height, width, budget)]
    columns = sorted({(x1, x2) for x1, _, x2, _ in cores})
    rows = sorted({(y1, y2) for _, y1, _, y2 in cores})
    for parts, length in ((columns, width), (rows, height)):
        assert (parts[0][0], parts[-1][1]) == (0, length)
        assert all(near < far for near, far in parts)
        assert all(one[1] == other[0] for one, other in pairwise(parts))
    grid = [(x1, y1, x2, y2) for (y1, y2), (x1, x2) in product(rows, columns)]
    assert cores == grid


@given(sizes, sizes, budgets)
def test_windows_are_within_the_budget_and_reach_a_margin_beyond_their_cores(height, width, budget):
    for (left, top, right, bottom), core in tiles_of(height, width, budget):
        assert (right - left) * (bottom - top) <= budget
        assert left == max(core[0] - MARGIN, 0)
        assert top == max(core[1] - MARGIN, 0)
        assert right == min(core[2] + MARGIN, width)
        assert bottom == min(core[3] + MARGIN, height)


@given(sizes, sizes, budgets)
def test_tiles_begin_where_the_coarsest_cells_do(height, width, budget):
    for tile in tiles_of(height, width, budget):
        assert not any(start % COARSEST_STRIDE for start in (*tile.window[:2], *tile.core[:2]))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_no_backbone_sees_beyond_the_margin(config, made_up_network, backbone):
    # A window that leaves 32 pixels out at each end, the edge of cores in its middle, and a pixel
    # just outside of either end that spoils all answers that see it. Maximum pooling passes on no
    # NaN, ReLU6 no infinity.
    width, middle = 2 * MARGIN + 64, MARGIN + 32
    network = made_up_network(backbone)
    centres = width * make_anchors(32, width, config.anchors)[:, 0].numpy()
    poison = np.inf if backbone.startswith("resnet") else np.nan
    for pixel, inside in ((31, centres >= middle), (width - 32, centres < middle)):
        image = np.zeros((1, 32, width, 3), np.float32)
        image[0, 0, pixel, 0] = poison
        logits = network(image, training=False)["logits"][0].numpy()
        sees = ~np.isfinite(logits).all(axis=1)
        assert sees[abs(centres - pixel) < 100].all()
        assert not sees[inside].any()
        if backbone == "resnet34":  # the margin is hardly larger than it must be
            assert sees[abs(centres - middle) < 2 * COARSEST_STRIDE].any()


@pytest.fixture(scope="module")
def detectors(config):
    """Returns detectors of bright cells for 4,000,000 pixels, tiled and not tiled."""

    @cache
    def detector(**settings):
        limits = DetectorConfig(**{"max_pixels": BUDGET, **settings})
        cells = replace(config, anchors=ANCHORS_OF_CELLS, detector=limits)
        return GraphDetector(BrightCells(CELL), cells)

    def with_settings(**settings):
        return TiledDetector(detector(**settings)), detector(**settings)

    return with_settings


def assert_same(found, expected, atol=1e-2, score_atol=1e-4):
    np.testing.assert_array_equal(found.num_detections, expected.num_detections)
    assert found.boxes.shape == expected.boxes.shape
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=score_atol)
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=0, atol=atol)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, rtol=0, atol=atol)


WIDE = (1000, 9_994)  # its last cells have their centres outside of the image, both ways


def bright(*cells, size=WIDE):
    """Returns an image with the probability of a face in some cells: row, column, value."""
    image = np.zeros((1, *size, 3), np.uint8)
    for row, column, value in cells:
        image[0, row * CELL, column * CELL] = round(200 * value)
    return image


# Around the border of the first two cores, in the corners, and one between.
CELLS = [(3, 87, 0.9), (3, 88, 0.8), (0, 0, 0.7), (31, 312, 0.6), (0, 312, 0.5), (31, 0, 0.4)]
LIMITS = [{}, {"top_k": None, "max_detections": None}, {"top_k": 4}, {"max_detections": 3}]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("scale", [1.0, (2.0, 4.0)])
def test_each_face_is_found_once_and_where_it_is(detectors, limits, scale):
    tiled, whole = detectors(**limits)
    image = bright(*CELLS, (15, 200, 0.3))
    assert tiles_of(*WIDE, BUDGET)[0].core == (0, 0, 88 * CELL, 1000)
    found = tiled(image, scale)
    assert found.num_detections == min(limits.get("top_k") or 7, limits.get("max_detections") or 7)
    assert_same(found, whole(image, scale))
    np.testing.assert_allclose(found.scores[0, :3], [0.9, 0.8, 0.7], rtol=1e-6)
    expected = np.array([87 * CELL, 3 * CELL, 88 * CELL, 4 * CELL]) / np.resize(scale, 4)
    np.testing.assert_allclose(found.boxes[0, 0], expected, atol=1e-2)


@pytest.mark.parametrize("limits", LIMITS)
def test_candidates_of_tiles_are_those_of_the_whole_image(detectors, limits):
    tiled, whole = detectors(**limits)
    image = bright(*CELLS)
    assert_same(tiled.candidates(image), whole.candidates(image))


@pytest.mark.parametrize("limits", LIMITS)
def test_a_huge_image_without_faces_has_0_detections(detectors, limits):
    tiled, whole = detectors(**limits)
    found = tiled(bright())
    assert found.num_detections == 0
    assert not any(part.numpy().any() for part in found)
    assert_same(found, whole(bright()))


@pytest.mark.parametrize("limits", LIMITS)
def test_a_batch_of_huge_images_is_as_each_of_them(detectors, limits):
    tiled, whole = detectors(**limits)
    batch = np.concatenate([bright(*CELLS[:2]), bright(), bright(*CELLS)])
    assert_same(tiled(batch), whole(batch))
    assert_same(tiled.candidates(batch), whole.candidates(batch))


def test_an_image_within_the_budget_goes_straight_to_the_detector(detectors):
    tiled, whole = detectors()
    tiled.candidates = None
    image = bright((3, 5, 0.9), size=(2000, 2000))
    assert_same(tiled(image), whole(image), 0, 0)


@pytest.mark.parametrize("limits", LIMITS)
def test_candidates_and_their_suppression_make_a_detection(detectors, limits):
    _, whole = detectors(**limits)
    image = bright(*((row, 0, 0.9 - row / 40) for row in range(0, 31, 3)), size=(1000, 320))
    assert_same(whole.suppress(whole.candidates(image)), whole(image), 0, 0)


def test_only_anchors_whose_centre_lies_in_the_region_are_candidates(detectors):
    _, whole = detectors()
    image = bright(*((0, column, 0.5 + column / 100) for column in range(4)), size=(32, 128))
    found = whole.candidates(image, 1.0, (48, 0, 112, 32))  # centres 16, 48, 80, 112
    assert found.num_detections == 2
    np.testing.assert_allclose(found.boxes[0, :2, 0], [64, 32], atol=1e-4)
    assert found.scores.shape[1] == 2
    below = whole.candidates(image, 1.0, (0, 17, 128, 32))
    assert below.num_detections == 0
    assert not below.boxes.numpy().any()


def test_sizes_are_not_traced_anew(detectors):
    tiled, whole = detectors()
    for width in (5000, 6000, 7777):
        tiled(bright(*CELLS[:1], size=(1000, width)))
        tiled(bright(size=(64, width // 10)), width)
    functions = (whole._detect, whole._candidates_inside, whole._sort_and_suppress)
    assert [each.experimental_get_tracing_count() for each in functions] == [1, 1, 1]


@pytest.fixture(scope="module")
def network(config, with_made_up_weights):
    """Returns a network with made-up weights that finds a face as rarely as a trained one."""
    network = build_network(replace(config, model=ModelConfig(backbone="mobilenet025")))
    with_made_up_weights(network)
    for level in (1, 2, 3):
        bias = network.get_layer(f"logits{level}_conv").bias
        bias.assign(bias - [0, 20, 0, 20])
    return network


@pytest.fixture(scope="module")
def picture():
    """Blots of all sizes, uint8 [1, 2500, 2500, 3]."""
    random, picture = np.random.default_rng(5), np.zeros((2500, 2500, 3))
    for cells in (8, 40, 200, 1000):
        blots = random.normal(0, 40, (cells, cells, 3))
        picture += cv2.resize(blots, (2500, 2500), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + 128, 0, 255).astype(np.uint8)[None]


def test_a_tiled_image_is_answered_as_if_it_was_whole(config, network, picture):
    unlimited = DetectorConfig(top_k=None, max_detections=None)
    one, tiles = (
        TiledDetector(
            GraphDetector(network, replace(config, detector=replace(unlimited, max_pixels=m)))
        )
        for m in (8_388_608, BUDGET)
    )
    assert len(tiles_of(2500, 2500, BUDGET)) == 4
    whole, found = one(picture), tiles(picture)
    assert whole.num_detections > 500
    # Scores that rounding alone tells apart may have changed places.
    _, places = KDTree(found.boxes[0]).query(whole.boxes[0])
    in_order = (tf.gather(rows, places, axis=1) for rows in found[:3])
    assert_same(DetectionBatch(*in_order, found.num_detections), whole)


DETECT_108_MEGAPIXELS = """
import resource
import numpy as np
from retinaface_tf.config import Config, ModelConfig
from retinaface_tf.model.detector import GraphDetector
from retinaface_tf.model.network import build_network
from retinaface_tf.model.tiling import TiledDetector

config = Config(model=ModelConfig(backbone="mobilenet025"))
detect = TiledDetector(GraphDetector(build_network(config), config))
image = np.random.default_rng(0).integers(0, 256, (1, 9000, 12000, 3), np.uint8)
found = detect(image)
print(int(found.num_detections[0]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_108_megapixels_take_little_memory(command):
    # Measured: 1.4 to 2.1 GiB, of which 0.6 are TensorFlow, 0.3 the image and the rest a tile, as
    # the allocator has it. Untiled, 36 megapixels took 3.1 GiB; 108 would take 8.
    done = command("-c", DETECT_108_MEGAPIXELS)
    assert done.returncode == 0, done.stderr
    count, kibibytes = map(int, done.stdout.split())
    assert count > 0
    assert kibibytes < 4 * 2**20
