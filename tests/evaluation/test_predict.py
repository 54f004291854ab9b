from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import Config, EvalConfig
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.predict import network_scale, predict
from retinaface_tf.structures import Detections

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


@pytest.fixture
def drawn_config(drawn) -> Config:
    config = Config()
    return replace(config, data=replace(config.data, root=str(drawn), num_workers=1))


@pytest.mark.parametrize(("size", "with_2150", "with_2176"), SIZES)
def test_protocol_resized_has_the_sizes_of_the_originals(size, with_2150, with_2176):
    for long_side, expected in ((2150, with_2150), (2176, with_2176)):
        scale = network_scale(*size, EvalConfig(protocol="resized", long_side=long_side))
        assert tuple(np.round(np.array(size) * scale.numpy())) == expected


def test_protocol_vga_brings_the_long_side_to_640():
    config = EvalConfig(protocol="vga")
    assert float(network_scale(480, 1280, config)) == 0.5
    assert float(network_scale(320, 160, config)) == 2.0


def test_protocol_original_leaves_images_as_they_are(drawn_config):
    config = replace(drawn_config, eval=EvalConfig(protocol="original"))
    sizes = {}

    def detect(images: tf.Tensor, scale: float) -> Detections:
        sizes[len(sizes)] = (*images.shape, float(scale))
        assert images.dtype == tf.uint8
        return detected([[0, 0, 1, 1]], [0.5])

    files = validation_set(config).files()
    predict(detect, files, config)
    for (_, height, width, channels, scale), file in zip(
        sizes.values(), files.values(), strict=True
    ):
        decoded = tf.io.decode_jpeg(tf.io.read_file(str(file)))
        assert (height, width, channels) == tuple(decoded.shape)
        assert scale == 1.0


def detected(boxes: list[list[float]], scores: list[float]) -> Detections:
    count = len(boxes)
    return Detections(
        tf.constant([boxes], tf.float32),
        tf.constant([scores], tf.float32),
        tf.zeros([1, count, 5, 2]),
        tf.constant([count]),
    )


def test_corners_are_cut_to_whole_pixels_before_widths_are_taken(drawn_config):
    # REFERENCE 8.2: 10.9..20.1 is 10 to 20, 10 wide; -3.7 goes to -3.
    boxes = [[10.9, 5.2, 20.1, 9.9], [-3.7, 0.0, 4.0, 8.5]]
    files = validation_set(drawn_config).files()
    rows = predict(lambda images, scale: detected(boxes, [0.75, 0.25]), files, drawn_config)
    assert set(rows) == set(files)
    for row in rows.values():
        np.testing.assert_array_equal(row, [[10, 5, 10, 4, 0.75], [-3, 0, 7, 8, 0.25]])


def test_evaluation_has_no_limit_on_detections():
    config = Config().exhaustive().detector
    assert (config.top_k, config.max_detections) == (None, None)
    assert config.score_threshold == 0.02


def test_a_file_that_is_no_image_is_named(drawn_config, tmp_path):
    broken = tmp_path / "a.jpg"
    broken.write_bytes(b"hello\xff\xd9")
    with pytest.raises(InputError, match=r"a.jpg: cannot be decoded"):
        predict(lambda images, scale: detected([], []), {"a": broken}, drawn_config)
