import pytest

from retinaface_tf.config import TrainConfig
from retinaface_tf.errors import InputError
from retinaface_tf.training.devices import make_strategy


def test_without_a_gpu_one_cpu_device_is_used():
    assert make_strategy(TrainConfig()).num_replicas_in_sync == 1


def test_devices_are_used_by_number():
    strategy = make_strategy(TrainConfig(devices=(1, 3)))
    names = [name[-5:] for name in strategy.extended.worker_devices]
    assert names == ["CPU:1", "CPU:3"]


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(
        InputError, match=r"expected different numbers below 4, as there are 4 CPU\(s\)"
    ):
        make_strategy(TrainConfig(devices=(0, 4)))


def test_xla_on_several_devices_is_refused():
    config = TrainConfig(devices=(0, 1), xla=True)
    with pytest.raises(InputError, match=r"train.xla: expected one device.*found 2"):
        make_strategy(config)


def test_a_device_named_twice_is_refused():
    with pytest.raises(InputError, match="expected different numbers"):
        make_strategy(TrainConfig(devices=(0, 0)))


def test_a_global_batch_that_devices_cannot_share_is_refused():
    config = TrainConfig(devices=(0, 1, 2), batch_per_device=8, num_devices=4)
    with pytest.raises(InputError, match="a global batch of 32 cannot be shared by 3 devices"):
        make_strategy(config)
