"""Tensors of others into our variables: their names, layouts and the input they were trained on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.errors import InputError
from retinaface_tf.model.layers import BATCH_NORM_EPSILON
from retinaface_tf.model.weights.names import BODY, backbone_of, canonical, torch_names
from retinaface_tf.model.weights.state_dict import read_state_dict
from retinaface_tf.structures import MEAN_RGB

# What backbones are trained on with ImageNet: (pixel - mean) / deviation, red first.
IMAGENET_MEAN = np.array([123.675, 116.28, 103.53])
IMAGENET_DEVIATION = np.array([58.395, 57.12, 57.375])


@dataclass(frozen=True)
class Foreign:
    """A file of others, its tensors in the reference spelling of names.py."""

    path: Path
    kind: str  # of file
    is_detector: bool  # or a backbone alone
    tensors: dict[str, NDArray[Any]]
    left_out: list[str]  # names, as in the file, of a classifier and the like


@dataclass
class Fit:
    """How the tensors of a file fit a network."""

    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshaped: list[str] = field(default_factory=list)  # with both shapes
    left_out: list[str] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped)

    def report(self) -> str:
        """Each kind with its number, and the names of all but those that matched."""
        lines = [f"matched: {len(self.matched)}"]
        for kind in ("missing", "unexpected", "misshaped", "left_out"):
            names = getattr(self, kind)
            lines += [f"{kind.replace('_', ' ')}: {len(names)}", *(f"  {name}" for name in names)]
        return "\n".join(lines)

    def summary(self) -> str:
        """What does not fit, in one line."""
        kinds = ("misshaped", "missing", "unexpected")
        parts = [
            f"{len(names)} {kind} (such as {names[0]})"
            for kind in kinds
            if (names := getattr(self, kind))
        ]
        return "; ".join([f"{len(self.matched)} tensors matched", *parts])


def read_foreign(path: Path) -> Foreign:
    """Reads a detector or a backbone that somebody else's program wrote.

    Raises:
        InputError: it is no such file, two of its tensors are one and the same here, or a number
            in it is not finite.
    """
    state = read_state_dict(path)
    names = {name: canonical(name) for name in state.tensors}
    is_detector = any(name and name.startswith((BODY, "fpn.")) for name in names.values())
    tensors: dict[str, NDArray[Any]] = {}
    for theirs, name in names.items():
        if name is None:
            continue
        name = name if is_detector else BODY + name
        if name in tensors:
            raise InputError(f"{path}: expected {name} once, found it in two spellings")
        if not np.isfinite(state.tensors[theirs]).all():
            raise InputError(f"{path}: expected finite numbers, {theirs} has others")
        tensors[name] = state.tensors[theirs]
    # Torch counts the batches of every norm: of no use, and too many to list.
    no_part = [theirs for theirs, name in names.items() if name is None]
    left_out = [name for name in no_part if not name.endswith(".num_batches_tracked")]
    return Foreign(path, state.kind, is_detector, tensors, left_out)


def assign(network: keras.Model, foreign: Foreign) -> Fit:
    """Gives a network the tensors that fit it, and adapts its stem to RGB pixels.

    Args:
        network: of build_network or build_backbone; keeps its own values where nothing fits.
        foreign: a detector or a backbone; of a detector, a backbone takes its part.
    """
    fit = Fit(left_out=list(foreign.left_out))
    names = torch_names(network)
    for variable in network.variables:
        name, shape = names[variable.path], tuple(variable.shape)
        if name not in foreign.tensors:
            fit.missing.append(name)
            continue
        array = foreign.tensors[name]
        order = _axes(variable)
        expected = tuple(shape[order.index(axis)] for axis in range(len(shape)))
        if array.shape == expected:
            fit.matched.append(name)
            variable.assign(array.transpose(order).astype(np.float32))
        else:
            fit.misshaped.append(f"{name} has the shape {array.shape}, expected {expected}")
    backbone_alone = all(name.startswith(BODY) for name in names.values())
    for name in sorted(foreign.tensors.keys() - names.values()):
        of_no_use = backbone_alone and not name.startswith(BODY)
        (fit.left_out if of_no_use else fit.unexpected).append(name)
    if names["stem_conv/kernel"] in fit.matched:
        _adapt_stem(network, foreign)
    return fit


def check_full(fit: Fit, foreign: Foreign, network: keras.Model) -> None:
    """Refuses weights that are not all and only those of a network.

    Raises:
        InputError: some do not fit; tells which kind of file was found, and how it fails.
    """
    if fit.full:
        return
    whole = "detector" if foreign.is_detector else "backbone"
    raise InputError(
        f"{foreign.path}: expected the weights of a {network.name}, found a {whole} with the names "
        f"of {backbone_of(foreign.tensors) or 'no backbone known here'}: {fit.summary()}"
    )


def _axes(variable: keras.Variable) -> tuple[int, ...]:
    """Where the axes of a variable are in PyTorch and MindSpore: kernels are out, in, h, w."""
    if len(variable.shape) < 4:
        return tuple(range(len(variable.shape)))
    return (2, 3, 0, 1) if "depthwise_conv" in variable.path else (2, 3, 1, 0)


def _adapt_stem(network: keras.Model, foreign: Foreign) -> None:
    """Makes a stem that was trained on other input take RGB pixels less MEAN_RGB.

    Detectors were trained on BGR pixels less the same mean. Backbones of ImageNet were trained on
    normalised RGB: the deviations' ratios go into the kernel, their mean and the small difference
    of means into the statistics of the norm, so that features are as ImageNet's (but at borders,
    where zeros stand for a grey that is a level off) and the kernel keeps its usual size.
    """
    conv, norm = network.get_layer("stem_conv"), network.get_layer("stem_norm")
    kernel = conv.kernel.numpy().astype(np.float64)
    if foreign.is_detector:
        conv.kernel.assign(kernel[:, :, ::-1])
        return
    unit = IMAGENET_DEVIATION.mean()
    kernel *= (unit / IMAGENET_DEVIATION)[:, None]
    shift = np.einsum("hwio,i->o", kernel, IMAGENET_MEAN - MEAN_RGB)
    variance = norm.moving_variance.numpy().astype(np.float64) + BATCH_NORM_EPSILON
    conv.kernel.assign(kernel)
    norm.moving_mean.assign(unit * norm.moving_mean.numpy() + shift)
    norm.moving_variance.assign(unit**2 * variance - BATCH_NORM_EPSILON)
