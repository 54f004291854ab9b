"""Assigns imported tensors to the variables of a network."""

from dataclasses import dataclass

import keras
import numpy as np

from retinaface_tf.errors import InputError
from retinaface_tf.model.layers import BATCH_NORM_EPSILON
from retinaface_tf.model.weights.imported import ImportedTensors
from retinaface_tf.model.weights.names import BODY, backbone_of, torch_names
from retinaface_tf.structures import MEAN_RGB

# Normalisation of RGB pixels in ImageNet training: (pixel - mean) / deviation.
IMAGENET_MEAN = np.array([123.675, 116.28, 103.53])
IMAGENET_DEVIATION = np.array([58.395, 57.12, 57.375])


@dataclass(frozen=True)
class Assignment:
    """Groups the names of tensors by how they fit the variables of a network."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]  # variables without a tensor
    unexpected: tuple[str, ...]  # tensors without a variable
    misshaped: tuple[str, ...]  # with both shapes
    left_out: tuple[str, ...]  # tensors that such a network does not use

    @property
    def is_complete(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped)

    def report(self) -> str:
        """Returns the number of names in each group, and all names except the matched ones."""
        lines = [f"matched: {len(self.matched)}"]
        for kind in ("missing", "unexpected", "misshaped", "left_out"):
            names = getattr(self, kind)
            lines += [f"{kind.replace('_', ' ')}: {len(names)}", *(f"  {name}" for name in names)]
        return "\n".join(lines)

    def summary(self) -> str:
        """Describes in one line what does not fit."""
        kinds = ("misshaped", "missing", "unexpected")
        parts = [
            f"{len(names)} {kind} (such as {names[0]})"
            for kind in kinds
            if (names := getattr(self, kind))
        ]
        return "; ".join([f"{len(self.matched)} tensors matched", *parts])


class IncompleteWeightsError(InputError):
    """Reports weights that are not exactly those of a network."""

    def __init__(self, message: str, assignment: Assignment):
        super().__init__(message)
        self.assignment = assignment


def assign(network: keras.Model, imported: ImportedTensors) -> Assignment:
    """Assigns the tensors that fit a network, and adapts its stem to RGB pixels.

    Args:
        network: from build_network or build_backbone; keeps its own values where nothing fits.
        imported: a detector or a backbone; a backbone network takes its part of a detector.
    """
    names = torch_names(network)
    variables = {names[variable.path]: variable for variable in network.variables}
    assignment = _compare(variables, imported)
    for name in assignment.matched:
        array = imported.tensors[name].transpose(_axes(variables[name]))
        variables[name].assign(array.astype(np.float32))
    if names["stem_conv/kernel"] in assignment.matched:
        _adapt_stem(network, is_detector=imported.is_detector)
    return assignment


def _compare(variables: dict[str, keras.Variable], imported: ImportedTensors) -> Assignment:
    """Groups tensors and variables by how they fit."""
    tensors = imported.tensors
    misshaped = {
        name: f"{name} has the shape {tensors[name].shape}, expected {_torch_shape(variable)}"
        for name, variable in variables.items()
        if name in tensors and tensors[name].shape != _torch_shape(variable)
    }
    extra = sorted(tensors.keys() - variables.keys())
    is_backbone = all(name.startswith(BODY) for name in variables)
    not_used = [name for name in extra if is_backbone and not name.startswith(BODY)]
    return Assignment(
        matched=tuple(name for name in variables if name in tensors and name not in misshaped),
        missing=tuple(name for name in variables if name not in tensors),
        unexpected=tuple(name for name in extra if name not in not_used),
        misshaped=tuple(misshaped.values()),
        left_out=(*imported.left_out, *not_used),
    )


def check_complete(assignment: Assignment, imported: ImportedTensors, network: keras.Model) -> None:
    """Refuses weights that are not exactly those of a network.

    Raises:
        IncompleteWeightsError: some do not fit; the message says what the file holds and what
            does not fit.
    """
    if assignment.is_complete:
        return
    backbone = backbone_of(imported.tensors) or "no backbone known here"
    raise IncompleteWeightsError(
        f"{imported.path}: expected the weights of a {network.name}, found a {imported.kind} with "
        f"the names of {backbone}: {assignment.summary()}",
        assignment,
    )


def _axes(variable: keras.Variable) -> tuple[int, ...]:
    """Returns the axes of a PyTorch tensor in the order of a variable's.

    Kernels are (height, width, in, out) here and (out, in, height, width) in PyTorch and MindSpore.
    """
    if len(variable.shape) < 4:
        return tuple(range(len(variable.shape)))
    return (2, 3, 0, 1) if "depthwise_conv" in variable.path else (2, 3, 1, 0)


def _torch_shape(variable: keras.Variable) -> tuple[int, ...]:
    """Returns the shape that a variable has in PyTorch."""
    axes = _axes(variable)
    return tuple(variable.shape[axes.index(axis)] for axis in range(len(axes)))


def _adapt_stem(network: keras.Model, *, is_detector: bool) -> None:
    """Adapts a stem that was trained on other input to RGB pixels minus MEAN_RGB.

    Detectors were trained on BGR pixels minus the same mean. ImageNet backbones were trained on
    normalised RGB: the ratios of the deviations go into the kernel, and their mean and the small
    difference of the means into the statistics of the norm, so that the kernel keeps its usual
    magnitude. Features are then the original ones except at borders, where padding with zeros means
    a grey that is one level off.
    """
    conv, norm = network.get_layer("stem_conv"), network.get_layer("stem_norm")
    kernel = conv.kernel.numpy().astype(np.float64)
    if is_detector:
        conv.kernel.assign(kernel[:, :, ::-1])
        return
    unit = IMAGENET_DEVIATION.mean()
    kernel *= (unit / IMAGENET_DEVIATION)[:, None]
    shift = np.einsum("hwio,i->o", kernel, IMAGENET_MEAN - MEAN_RGB)
    variance = norm.moving_variance.numpy().astype(np.float64) + BATCH_NORM_EPSILON
    conv.kernel.assign(kernel)
    norm.moving_mean.assign(unit * norm.moving_mean.numpy() + shift)
    norm.moving_variance.assign(unit**2 * variance - BATCH_NORM_EPSILON)
