import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from retinaface_tf.config import Config, EvalConfig
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.detections import Detections
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation import predict as predict_module
from retinaface_tf.evaluation.predict import load_image, predict
from retinaface_tf.structures import DetectionBatch


@pytest.fixture
def drawn_config(drawn) -> Config:
    config = Config()
    return replace(config, data=replace(config.data, root=str(drawn), num_workers=1))


def test_protocol_original_leaves_images_as_they_are(drawn_config):
    config = replace(drawn_config, eval=EvalConfig(protocol="original"))
    sizes = {}

    def detect(images: tf.Tensor, scale: float) -> DetectionBatch:
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


def test_detections_are_in_pixels_of_the_original_though_sides_were_rounded(tmp_path):
    # vga: 100 x 37 becomes 640 x 237, by 6.4 along x and 6.405 along y.
    tf.io.write_file(str(tmp_path / "a.jpg"), tf.io.encode_jpeg(np.zeros([37, 100, 3], np.uint8)))
    image, scale = load_image(str(tmp_path / "a.jpg"), EvalConfig(protocol="vga"))
    assert image.shape == (237, 640, 3)
    np.testing.assert_allclose(scale, [640 / 100, 237 / 37], rtol=1e-6)


def detected(boxes: list[list[float]], scores: list[float]) -> DetectionBatch:
    count = len(boxes)
    return DetectionBatch(
        tf.constant([boxes], tf.float32),
        tf.constant([scores], tf.float32),
        tf.zeros([1, count, 5, 2]),
        tf.constant([count]),
    )


def test_corners_are_cut_to_whole_pixels_before_widths_are_taken(drawn_config):
    # As biubug6's test_widerface.py: 10.9..20.1 is 10 to 20, 10 wide; -3.7 goes to -3.
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


def test_progress_shows_in_a_log_too(drawn_config, caplog, monkeypatch):
    monkeypatch.setattr(predict_module, "REPORT_SECONDS", 0)
    files = validation_set(drawn_config).files()
    with caplog.at_level("INFO"):
        predict(lambda images, scale: detected([[0, 0, 1, 1]], [0.5]), files, drawn_config)
    done = [re.match(r"(\d) of 4 images done, ", each)[1] for each in caplog.messages]
    assert done == ["1", "2", "3"]


def test_a_file_that_is_no_image_is_named(drawn_config, tmp_path):
    broken = tmp_path / "a.jpg"
    broken.write_bytes(b"hello\xff\xd9")
    with pytest.raises(InputError, match=r"a.jpg: cannot be decoded"):
        predict(lambda images, scale: detected([], []), {"a": broken}, drawn_config)


def test_protocol_all_sizes_takes_the_answer_of_all_passes(drawn_config):
    class AllPasses:
        def detect_together(self, images):
            assert images.shape[0] == 1
            box, points = np.array([[1, 2, 11, 22]], np.float32), np.zeros((1, 5, 2), np.float32)
            return [Detections(box, np.array([0.5], np.float32), points)]

    config = replace(drawn_config, eval=EvalConfig(protocol="all_sizes"))
    predictions = predict(AllPasses(), validation_set(config).files(), config)
    assert [rows.tolist() for rows in predictions.values()] == [[[1, 2, 10, 20, 0.5]]] * 4
