"""Writes torch_tiny.pth and torch_tiny_old.pth; needs PyTorch (made with 2.13)."""

from collections import OrderedDict
from pathlib import Path

import torch

numbers = torch.arange(12, dtype=torch.float32) / 8
content = {
    "epoch": 18,
    "state_dict": OrderedDict(
        whole=numbers.reshape(3, 4),
        turned=numbers.reshape(3, 4).t(),  # a view with strides
        part=numbers[4:6],  # a view with an offset
        half=numbers[:2].half(),
        brain=numbers[:2].bfloat16(),
        count=torch.tensor(7),
        parameter=torch.nn.Parameter(numbers[:3].clone()),
        empty=torch.zeros(0, 3),
    ),
}
for name, new in (("torch_tiny", True), ("torch_tiny_old", False)):
    path = Path(__file__).with_name(f"{name}.pth")
    torch.save(content, path, _use_new_zipfile_serialization=new)
