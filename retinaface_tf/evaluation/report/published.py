"""Lists the AP that others published for their own weights, on all 3,226 WIDER FACE val images."""

from typing import NamedTuple


class Published(NamedTuple):
    backbone: str  # as `model.backbone` names it
    protocol: str  # as `eval.protocol` names it; `resized` has a long side of 2150 or 2176
    author: str
    easy: float
    medium: float
    hard: float


PUBLISHED = (
    Published("resnet50", "resized", "MindSpore model zoo (the seed)", 0.9422, 0.9325, 0.8900),
    Published("resnet50", "resized", "biubug6/Pytorch_Retinaface", 0.9482, 0.9384, 0.8960),
    Published("resnet50", "original", "biubug6/Pytorch_Retinaface", 0.9548, 0.9404, 0.8443),
    Published("mobilenet025", "resized", "biubug6/Pytorch_Retinaface", 0.8867, 0.8709, 0.8099),
    Published("mobilenet025", "original", "biubug6/Pytorch_Retinaface", 0.9070, 0.8816, 0.7382),
    Published("resnet18", "resized", "yakhyo/retinaface-pytorch", 0.9250, 0.9102, 0.8663),
    Published("resnet18", "original", "yakhyo/retinaface-pytorch", 0.9428, 0.9269, 0.8295),
    Published("resnet34", "resized", "yakhyo/retinaface-pytorch", 0.9416, 0.9312, 0.8890),
    Published("resnet34", "original", "yakhyo/retinaface-pytorch", 0.9507, 0.9348, 0.8440),
    Published("mobilenetv2", "resized", "yakhyo/retinaface-pytorch", 0.9170, 0.9103, 0.8660),
    Published("mobilenetv2", "original", "yakhyo/retinaface-pytorch", 0.9404, 0.9226, 0.8359),
)
