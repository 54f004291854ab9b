"""Lists the parts in the order in which they run, the most important first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from gpu_parts.detection import detect_by_each_kernel, detect_by_exported_model
from gpu_parts.machine import examine
from gpu_parts.peer import train_biubug6
from gpu_parts.rows import Row
from gpu_parts.setting import Case, Setting
from gpu_parts.training import train_from_files, train_from_memory, train_to_bits

USUAL, SMALL = Case("resnet50", "bfloat16", 32), Case("mobilenet025", "bfloat16", 32)
MACHINE = "machine"  # the first part, which all others need


@dataclass(frozen=True)
class Part:
    """Describes a part of the table."""

    seconds: int  # its limit
    run: Callable[[Setting], Iterator[Row]]
    uses_tensorflow: bool = True  # which must not be imported before PyTorch


def parts(setting: Setting) -> dict[str, Part]:
    """Returns the parts by name; a smoke run needs only one of each kind."""
    return _one_of_each(setting) | ({} if setting.smoke else _other_sizes(setting))


def _one_of_each(setting: Setting) -> dict[str, Part]:
    return {
        MACHINE: Part(60, examine),
        **_training(train_from_files, USUAL),
        **_training(train_from_memory, replace(USUAL, precision="float32")),
        **_training(train_from_memory, replace(USUAL, xla=True)),
        **_peer(setting, USUAL),
        "NMS kernels": Part(90, detect_by_each_kernel),
        **_exported("mobilenet025"),
        **_training(train_from_memory, replace(USUAL, synchronised=True)),
        **_twice(replace(SMALL, deterministic=True)),
    }


def _other_sizes(setting: Setting) -> dict[str, Part]:
    return {
        **_training(train_from_files, SMALL),
        **_training(train_from_memory, replace(USUAL, batch=16), replace(USUAL, batch=64)),
        **_peer(setting, replace(USUAL, precision="float32"), SMALL),
        **_twice(SMALL),
        **_training(train_from_memory, *(Case("resnet50", "float32", n) for n in (16, 64))),
        **_exported("resnet50"),
    }


def _training(run: Callable[[Case, Setting], Iterator[Row]], *cases: Case) -> dict[str, Part]:
    # XLA spends minutes compiling what TensorFlow runs at once.
    return {str(case): Part(120 if case.xla else 60, partial(run, case)) for case in cases}


def _twice(case: Case) -> dict[str, Part]:
    return {f"{case}, run {run}": Part(60, partial(train_to_bits, case)) for run in (1, 2)}


def _peer(setting: Setting, *cases: Case) -> dict[str, Part]:
    if setting.biubug6 is None:
        return {}
    return {
        f"{case}, biubug6's": Part(60, partial(train_biubug6, case), uses_tensorflow=False)
        for case in cases
    }


def _exported(backbone: str) -> dict[str, Part]:
    return {f"{backbone}, exported": Part(75, partial(detect_by_exported_model, backbone))}
