"""Without a GPU: whether TensorFlow has a kernel for one of all that a training step executes."""

import pytest
from tensorflow.core.framework.kernel_def_pb2 import KernelDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework.kernels import get_registered_kernels_for_op
from tiny_backbone import tiny_backbone
from training_step import one_device

from retinaface_tf.model.network import build_network

# What feeds and leaves a function, which is no kernel's.
ENDS = {"Placeholder", "_Arg", "_Retval", "_DeviceArg", "_DeviceRetval"}


def accepts(kernel: KernelDef, node: NodeDef) -> bool:
    """Whether a kernel is for a GPU and for the types of a node."""
    return kernel.device_type == "GPU" and all(
        not constraint.allowed_values.HasField("list")
        or node.attr[constraint.name].type in constraint.allowed_values.list.type
        for constraint in kernel.constraint
    )


def without_gpu_kernel(nodes: list[NodeDef]) -> set[str]:
    return {
        node.op
        for node in nodes
        if node.op not in ENDS
        and not any(accepts(k, node) for k in get_registered_kernels_for_op(node.op).kernel)
    }


def test_an_operation_without_a_gpu_kernel_is_noticed():
    assert without_gpu_kernel([NodeDef(op="CombinedNonMaxSuppression")]) == {
        "CombinedNonMaxSuppression"
    }


RESNET = ("model.backbone=resnet50", "model.precision=bfloat16")


@pytest.mark.parametrize("settings", [(), pytest.param(RESNET, marks=pytest.mark.slow)])
def test_every_operation_of_the_training_step_has_a_gpu_kernel(settings):
    with tiny_backbone():
        step = one_device("optimizer.clip_norm=1", *settings, build=build_network)
    graph = step.run.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    assert {"Conv2D", "ResourceApplyMomentum", "UnsortedSegmentMax"} <= {node.op for node in nodes}
    assert not without_gpu_kernel(nodes)
