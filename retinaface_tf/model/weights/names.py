"""Maps this package's variables to the names of tensors in files of other projects.

The reference spelling is that of biubug6's PyTorch RetinaFace, whose backbones are named as in
torchvision; `canonical` turns other spellings into it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import keras

from retinaface_tf.model.network import name_of_network

# From parts of our names to parts of a tensor's name: modules, then what they hold.
_RESNET = {
    "first_conv": "conv1",
    "first_norm": "bn1",
    "second_conv": "conv2",
    "second_norm": "bn2",
    "reduce_conv": "conv1",
    "reduce_norm": "bn1",
    "spatial_conv": "conv2",
    "spatial_norm": "bn2",
    "expand_conv": "conv3",
    "expand_norm": "bn3",
    "project_conv": "downsample.0",
    "project_norm": "downsample.1",
}
_MOBILENETV1 = {
    "depthwise_conv": "0",
    "depthwise_norm": "1",
    "pointwise_conv": "3",
    "pointwise_norm": "4",
}
_MOBILENETV2 = {
    "widen_conv": "0.0",
    "widen_norm": "0.1",
    "depthwise_conv": "1.0",
    "depthwise_norm": "1.1",
    "narrow_conv": "2",
    "narrow_norm": "3",
}
# The first block has no expansion, so what follows moves up.
_MOBILENETV2_FIRST = {
    "depthwise_conv": "0.0",
    "depthwise_norm": "0.1",
    "narrow_conv": "1",
    "narrow_norm": "2",
}
_MOBILENETV2_BLOCKS_BEFORE = {1: 0, 2: 3, 3: 6, 4: 13}  # of a stage
_CONTEXT = {
    "3x3": "conv3X3",
    "shared": "conv5X5_1",
    "5x5": "conv5X5_2",
    "deeper": "conv7X7_2",
    "7x7": "conv7x7_3",
}
_HEADS = {"logits": "ClassHead", "boxes": "BboxHead", "landmarks": "LandmarkHead"}
_TENSORS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

BODY = "body."  # begins the names of a backbone inside a detector

_SPELLINGS = (
    (r"^module\.", ""),  # torch's DataParallel
    # yakhyo's
    (r"^fx\.", BODY),
    (r"^class_head\.class_head\.(\d)", r"ClassHead.\1.conv1x1"),
    (r"^bbox_head\.bbox_head\.(\d)", r"BboxHead.\1.conv1x1"),
    (r"^landmark_head\.landmark_head\.(\d)", r"LandmarkHead.\1.conv1x1"),
    (r"^((?:body\.)?stage\d\.\d+)\.0\.([01])\.", r"\1.\2."),
    (r"^((?:body\.)?stage\d\.\d+)\.1\.0\.", r"\1.3."),
    (r"^((?:body\.)?stage\d\.\d+)\.1\.1\.", r"\1.4."),
    # MindSpore's
    (r"^network\.", ""),
    (r"^base\.", BODY),
    (r"\.down_sample_layer\.", ".downsample."),
    (r"\.conv7X7_3\.", ".conv7x7_3."),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
    (r"\.moving_mean$", ".running_mean"),
    (r"\.moving_variance$", ".running_var"),
)
# ImageNet's classifier, torch's count of batches, MindSpore's optimizer.
_NO_PART = re.compile(
    r"(body\.)?(fc|classifier|end_point)\."
    r"|.*\.num_batches_tracked$"
    r"|(moments|accum|stat)\.|(learning_rate|momentum|global_step|epoch_num|step_num)$"
)


def canonical(name: str) -> str | None:
    """Returns the reference spelling of a tensor's name; None if a detector does not use it."""
    for pattern, replacement in _SPELLINGS:
        name = re.sub(pattern, replacement, name)
    return None if _NO_PART.match(name) else name


def backbone_of(names: Iterable[str]) -> str | None:
    """Tells the backbone of tensors from their names in the reference spelling; None if unknown."""
    found = tuple(names)
    for backbone, published in BACKBONE_NAMES.items():
        if any(name.startswith(published.mark) for name in found):
            return backbone
    return None


def torch_names(network: keras.Model) -> dict[str, str]:
    """Returns the reference spelling of each variable, by paths such as `stem_conv/kernel`.

    Names of the backbone begin with `body.`.

    Args:
        network: from build_network or build_backbone.
    """
    (backbone_module,) = (
        published.module
        for backbone, published in BACKBONE_NAMES.items()
        if network.name in (backbone, name_of_network(backbone))
    )
    names = {}
    for path in (variable.path for variable in network.variables):
        layer, _, variable = path.partition("/")
        module = _detector_module(layer) or BODY + backbone_module(layer)
        names[path] = f"{module}.{_TENSORS[variable]}"
    return names


def _detector_module(layer: str) -> str | None:
    """Returns the module of a layer after the backbone; None for a layer of the backbone."""
    block, _, kind = layer.rpartition("_")
    part = {"conv": 0, "norm": 1}[kind]
    if found := re.fullmatch(r"pyramid(\d)_(lateral|merge)", block):
        return f"fpn.{'output' if found[2] == 'lateral' else 'merge'}{found[1]}.{part}"
    if found := re.fullmatch(r"context(\d)_(\w+)", block):
        return f"ssh{found[1]}.{_CONTEXT[found[2]]}.{part}"
    if found := re.fullmatch(r"(logits|boxes|landmarks)(\d)", block):
        return f"{_HEADS[found[1]]}.{int(found[2]) - 1}.conv1x1"
    return None


def _resnet_module(layer: str) -> str:
    if layer.startswith("stem"):
        return "conv1" if layer == "stem_conv" else "bn1"
    stage, block, unit = _place(layer)
    return f"layer{stage}.{block - 1}.{_RESNET[unit]}"


def _mobilenetv1_module(layer: str) -> str:
    if layer.startswith("stem"):
        return f"stage1.0.{0 if layer == 'stem_conv' else 1}"
    stage, block, unit = _place(layer)
    # The stem is the first module of stage 1.
    return f"stage{stage}.{block if stage == 1 else block - 1}.{_MOBILENETV1[unit]}"


def _mobilenetv2_module(layer: str) -> str:
    part = 0 if layer.endswith("conv") else 1
    if layer.startswith("stem"):
        return f"features.0.{part}"
    if layer.startswith("stage4_final"):
        return f"features.18.{part}"
    stage, block, unit = _place(layer)
    number = _MOBILENETV2_BLOCKS_BEFORE[stage] + block
    units = _MOBILENETV2_FIRST if number == 1 else _MOBILENETV2
    return f"features.{number}.conv.{units[unit]}"


def _place(layer: str) -> tuple[int, int, str]:
    """Splits `stage3_block2_reduce_conv` into stage, block and unit."""
    stage, block, unit = layer.split("_", 2)
    return int(stage.removeprefix("stage")), int(block.removeprefix("block")), unit


@dataclass(frozen=True)
class BackboneNames:
    """Spells the names of a backbone's tensors as the reference does."""

    mark: str  # begins a tensor's name in this backbone, and in none that follows it in the table
    module: Callable[[str], str]  # of one of our layers


BACKBONE_NAMES = {
    "resnet50": BackboneNames("body.layer1.0.conv3", _resnet_module),
    "resnet34": BackboneNames("body.layer1.2", _resnet_module),
    "resnet18": BackboneNames("body.layer1", _resnet_module),
    "mobilenet025": BackboneNames("body.stage1", _mobilenetv1_module),
    "mobilenetv2": BackboneNames("body.features", _mobilenetv2_module),
}
