import numpy as np
import pytest
import tensorflow as tf
from tiny_network import noise, tiny_network

from retinaface_tf.config import Config, ModelConfig
from retinaface_tf.model import freezing
from retinaface_tf.model.freezing import freeze
from retinaface_tf.model.network import build_network


@pytest.mark.parametrize(("height", "width"), [(64, 96), (45, 33)])
def test_a_frozen_network_predicts_as_before(height, width):
    network = tiny_network(Config())
    frozen = freeze(network)
    assert frozen is not network
    images = noise(2, height, width)
    expected = network(images, training=False)
    predictions = frozen(images)
    assert predictions.keys() == expected.keys()
    for name, rows in predictions.items():
        np.testing.assert_allclose(rows, expected[name], rtol=1e-5, atol=1e-6)


def test_a_frozen_network_is_saved_without_variables(tmp_path):
    class Caller(tf.Module):
        network = freeze(tiny_network(Config()))

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
        def __call__(self, images):
            return self.network(images)

    caller = Caller()
    tf.saved_model.save(caller, str(tmp_path))
    assert tf.train.list_variables(str(tmp_path / "variables" / "variables")) == [
        ("_CHECKPOINTABLE_OBJECT_GRAPH", [])
    ]
    images = noise(1, 64, 64)
    np.testing.assert_array_equal(
        tf.saved_model.load(str(tmp_path))(images)["boxes"], caller(images)["boxes"]
    )


def test_mobilenet025_is_small_enough_and_a_larger_network_is_left_as_it_is(monkeypatch):
    mobilenet = build_network(Config(model=ModelConfig(backbone="mobilenet025")))
    assert mobilenet.count_params() <= freezing.MOST_WEIGHTS
    monkeypatch.setattr(freezing, "MOST_WEIGHTS", mobilenet.count_params() - 1)
    assert freeze(mobilenet) is mobilenet
