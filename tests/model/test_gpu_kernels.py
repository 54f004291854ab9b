"""Operations of the detector that GPUs have no kernel for: the wheel says so without a GPU."""

from tensorflow.python.framework.kernels import get_registered_kernels_for_op
from tiny_network import tiny_detector

from retinaface_tf.config import Config

RUNS_ANYWHERE = {"GPU", "DEFAULT"}  # the latter are on any device, by way of the host


def operations_without_gpu_kernel(function):
    """Returns the operations, those of functions that are called among them."""
    graph = function.get_concrete_function().graph.as_graph_def()
    nodes = [graph.node, *(each.node_def for each in graph.library.function)]
    names = {node.op for part in nodes for node in part}
    return {name for name in names if not RUNS_ANYWHERE & devices_of(name)}


def devices_of(operation):
    return {kernel.device_type for kernel in get_registered_kernels_for_op(operation).kernel}


def test_of_the_detector_only_nms_has_no_kernel_for_gpus():
    detector = tiny_detector(Config())
    assert operations_without_gpu_kernel(detector._detect) == {"CombinedNonMaxSuppression"}


def test_the_kernels_of_nms_for_gpus_are_those_that_the_benchmark_says():
    names = [f"NonMaxSuppression{version}" for version in ("", "V2", "V3", "V4", "V5")]
    assert [name for name in names if "GPU" in devices_of(name)] == names[1:4]
