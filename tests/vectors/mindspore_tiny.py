"""Writes mindspore_tiny.ckpt and mindspore_tiny_sliced.ckpt beside itself; needs mindspore (2.10).

The network is nested, named and wrapped for training as the seed's is, so that names, optimizer
slots and their order come out as in its checkpoints.
"""

from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn
from mindspore.train import serialization

HERE = Path(__file__).parent


class Backbone(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 2, 3, pad_mode="pad", padding=1)
        self.bn1 = nn.BatchNorm2d(2)


class Detector(nn.Cell):
    def __init__(self):
        super().__init__()
        self.base = Backbone()
        self.half = ms.Parameter(ms.Tensor(np.zeros(4), ms.float16), requires_grad=False)


class WithLoss(nn.Cell):
    def __init__(self):
        super().__init__()
        self.network = Detector()


class Training(nn.Cell):
    def __init__(self):
        super().__init__(auto_prefix=False)
        self.network = WithLoss()
        self.weights = ms.ParameterTuple(self.network.trainable_params())
        self.optimizer = nn.SGD(self.weights, [0.1, 0.1, 0.1], momentum=0.9, weight_decay=5e-4)


def count_in_eighths(parameter, start):
    values = start + np.arange(parameter.size) / 8
    parameter.set_data(ms.Tensor(values.reshape(parameter.shape), parameter.dtype))


def save(cell, name, **options):
    path = HERE / name
    ms.save_checkpoint(cell, str(path), **options)
    path.chmod(0o644)  # MindSpore leaves it readable by its owner only


training = Training()
for number, parameter in enumerate(training.get_parameters(), start=1):
    count_in_eighths(parameter, number)
extra = {"epoch_num": 3, "rate": 0.125, "finished": True, "note": "drawn faces"}
extra["brain"] = ms.Tensor([1.0, 1.125, -2.5], ms.bfloat16)
save(training, "mindspore_tiny.ckpt", append_dict=extra)

# MindSpore slices tensors of more than SLICE_SIZE KiB, by default 524,288.
serialization.SLICE_SIZE = 1
convolution = nn.Conv2d(3, 16, (3, 7), has_bias=True)
for parameter in convolution.get_parameters():
    count_in_eighths(parameter, 0)
save(convolution, "mindspore_tiny_sliced.ckpt", crc_check=True)
