"""Names: ours, the reference spelling, and the spellings of others."""

import numpy as np
import pytest
from conftest import VECTORS

from retinaface_tf.model.backbones import BACKBONES
from retinaface_tf.model.weights.names import backbone_of, canonical, torch_names


def published(file):
    """Returns names and shapes of a state dict, as listed in tests/vectors."""
    lines = (VECTORS / file).read_text().splitlines()
    words = [line.split() for line in lines]
    return {name: tuple(map(int, shape.split(","))) for name, shape in words if shape[0].isdigit()}


def variables_by_name(network):
    """Returns number of values of each variable, by its name in the reference spelling."""
    names = torch_names(network)
    return {names[variable.path]: np.prod(variable.shape) for variable in network.variables}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_variable_has_a_name_of_its_own(made_up_network, backbone):
    names = torch_names(made_up_network(backbone)).values()
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_is_known_by_its_names(made_up_network, backbone):
    assert backbone_of(torch_names(made_up_network(backbone)).values()) == backbone


def test_names_of_no_backbone_tell_none():
    assert backbone_of(["fpn.output1.0.weight", "body.stem.weight"]) is None


@pytest.mark.parametrize(
    ("backbone", "path", "name"),
    [
        ("resnet50", "stem_conv/kernel", "body.conv1.weight"),
        ("resnet50", "stem_norm/moving_variance", "body.bn1.running_var"),
        ("resnet50", "stage1_block1_project_conv/kernel", "body.layer1.0.downsample.0.weight"),
        ("resnet50", "stage3_block6_expand_norm/gamma", "body.layer3.5.bn3.weight"),
        ("resnet34", "stage4_block3_second_conv/kernel", "body.layer4.2.conv2.weight"),
        ("resnet50", "pyramid3_lateral_norm/beta", "fpn.output3.1.bias"),
        ("resnet50", "pyramid1_merge_conv/kernel", "fpn.merge1.0.weight"),
        ("resnet50", "context2_shared_conv/kernel", "ssh2.conv5X5_1.0.weight"),
        ("resnet50", "context2_7x7_norm/moving_mean", "ssh2.conv7x7_3.1.running_mean"),
        ("resnet50", "logits1_conv/bias", "ClassHead.0.conv1x1.bias"),
        ("resnet50", "landmarks3_conv/kernel", "LandmarkHead.2.conv1x1.weight"),
        ("mobilenet025", "stem_conv/kernel", "body.stage1.0.0.weight"),
        ("mobilenet025", "stem_norm/gamma", "body.stage1.0.1.weight"),
        ("mobilenet025", "stage1_block5_pointwise_conv/kernel", "body.stage1.5.3.weight"),
        ("mobilenet025", "stage2_block1_depthwise_conv/kernel", "body.stage2.0.0.weight"),
        (
            "mobilenet025",
            "stage3_block2_pointwise_norm/moving_mean",
            "body.stage3.1.4.running_mean",
        ),
        ("mobilenetv2", "stage1_block1_narrow_conv/kernel", "body.features.1.conv.1.weight"),
        ("mobilenetv2", "stage3_block7_widen_norm/gamma", "body.features.13.conv.0.1.weight"),
        ("mobilenetv2", "stage4_final_conv/kernel", "body.features.18.0.weight"),
    ],
)
def test_names_are_those_that_were_published(made_up_network, backbone, path, name):
    assert torch_names(made_up_network(backbone))[path] == name


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_state_dict_of_yakhyo_is_this_network(made_up_network, backbone):
    theirs = published(f"yakhyo_names_{backbone}.txt")
    spelled = {canonical(name): np.prod(shape) for name, shape in theirs.items()}
    assert spelled == variables_by_name(made_up_network(backbone))


def test_a_checkpoint_of_mindspore_is_this_network_and_what_it_trains_for_nothing(made_up_network):
    theirs = published("mindspore_names.txt")
    spelled = {canonical(name): np.prod(shape) for name, shape in theirs.items()}
    spelled.pop(None)
    assert spelled == variables_by_name(made_up_network("resnet50"))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("module.fpn.merge1.0.weight", "fpn.merge1.0.weight"),
        ("network.fpn.merge1.1.gamma", "fpn.merge1.1.weight"),
        ("layer1.0.down_sample_layer.1.moving_variance", "layer1.0.downsample.1.running_var"),
        ("stage1.1.1.0.weight", "stage1.1.3.weight"),  # yakhyo's backbone alone
        ("stage1.0.1.weight", "stage1.0.1.weight"),  # a stem, or biubug6's depthwise norm
        ("module.fc.weight", None),
        ("classifier.1.bias", None),
        ("network.base.end_point.weight", None),
        ("moments.network.base.conv1.weight", None),
        ("learning_rate", None),
        ("bn1.num_batches_tracked", None),
    ],
)
def test_a_name_has_one_spelling_or_is_no_part_of_a_detector(name, reference):
    assert canonical(name) == reference
