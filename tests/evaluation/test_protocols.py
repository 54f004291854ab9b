"""At which size the network sees an image."""

import numpy as np
import pytest

from retinaface_tf.config import EvalConfig
from retinaface_tf.data.scaling import resize
from retinaface_tf.evaluation.protocols import multiple_scales, network_scale

# Height and width of an image; sizes after the rule with a long side of 2150 and of 2176, as the
# originals' own code resized them.
SIZES = [
    ((683, 1024), (1434, 2150), (1451, 2176)),
    ((768, 1024), (1600, 2133), (1600, 2133)),
    ((1024, 683), (2150, 1434), (2176, 1451)),
    ((576, 1024), (1209, 2150), (1224, 2176)),
    ((1024, 1024), (1600, 1600), (1600, 1600)),
    ((5568, 1024), (2150, 395), (2176, 400)),
    ((200, 1024), (420, 2150), (425, 2176)),
    ((333, 517), (1385, 2150), (1402, 2176)),
    ((744, 1000), (1600, 2150), (1600, 2151)),
]


@pytest.mark.parametrize(("size", "with_2150", "with_2176"), SIZES)
def test_protocol_resized_has_the_sizes_of_the_originals(size, with_2150, with_2176):
    for long_side, expected in ((2150, with_2150), (2176, with_2176)):
        scale = network_scale(*size, EvalConfig(protocol="resized", long_side=long_side))
        assert tuple(np.round(np.array(size) * scale.numpy())) == expected


def test_protocol_vga_brings_the_long_side_to_640():
    config = EvalConfig(protocol="vga")
    assert float(network_scale(480, 1280, config)) == 0.5
    assert float(network_scale(320, 160, config)) == 2.0


@pytest.mark.parametrize(
    ("size", "sides", "expected"),
    [
        ((768, 1024), (500, 800, 1700), [(500, 667), (800, 1067), (1700, 2267)]),
        ((1000, 1000), (500, 1700), [(500, 500), (1700, 1700)]),
        # 2:1, where 1200 for the long side leaves 600 of 800 for the short one.
        ((500, 1000), (400, 800, 1600), [(300, 600), (600, 1200), (1200, 2400)]),
        ((1000, 500), (800,), [(1200, 600)]),
        # Just at the limit, rounded: 1200.4 counts as 1200.
        ((800, 1200), (800,), [(800, 1200)]),
    ],
)
def test_ms_flip_has_the_sizes_of_the_mxnet_original(size, sides, expected):
    scales = multiple_scales(*size, sides)
    assert [tuple(np.round(np.array(size) * scale)) for scale in scales] == expected


def test_ms_flip_loads_images_at_their_own_size():
    assert float(network_scale(480, 1280, EvalConfig(protocol="ms_flip"))) == 1


def test_the_thinnest_image_keeps_a_pixel():
    assert resize(np.zeros([1, 5000, 3], np.uint8), 0.1).shape == (1, 500, 3)


def test_resizing_rounds_to_whole_pixels_and_levels():
    image = np.array([[[0, 0, 0], [255, 255, 255], [0, 0, 0]]], np.uint8)
    wide = resize(image, 1.5)
    assert wide.shape == (2, 4, 3)
    assert wide.dtype == "uint8"
