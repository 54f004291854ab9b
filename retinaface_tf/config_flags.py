"""Defines the flags of all commands that take a config: --cfg, --set and --workdir."""

from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from retinaface_tf.cli import start_tensorflow
from retinaface_tf.config import Config
from retinaface_tf.config_file import RUN_CONFIG, as_override, load_config

DEFAULT = "res50"

_CFG = flags.DEFINE_string(
    "cfg",
    None,
    "The config: a YAML file, the name of a config in the package, or a run's folder. Without it: "
    f"the config of --workdir or --weights, else {DEFAULT} (`detect`: the config of this "
    "package's weights).",
)
_SET = flags.DEFINE_multi_string(
    "set", [], "Overrides a setting, as in --set train.epochs=3; may be repeated."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder, instead of train.workdir.")

# Finds the config of weights, as arguments of `load_config`.
FindConfig = Callable[[str], tuple[str | Path, Sequence[str]]]


def read_config(
    *,
    weights: str | None = None,
    default_weights: str | None = None,
    find_config: FindConfig | None = None,
    **overrides: str | float | None,
) -> Config:
    """Reads the config that the flags name, with their overrides.

    Args:
        weights: overrides `eval.weights`; if no flag names a config, the weights' config is read.
        default_weights: used as `weights` if no flag names weights, a run or a config.
        find_config: finds the config of weights.
        **overrides: flags that stand for a setting, as `eval__protocol="vga"`; None is ignored.

    Raises:
        InputError: as for `load_config`.
    """
    if default_weights is not None and not (weights or _CFG.value or _names_weights()):
        weights = default_weights
    path, settings = _named_config(weights, find_config)
    if _WORKDIR.value is not None:
        settings += [as_override("train.workdir", _WORKDIR.value), "eval.weights=null"]
    settings += _SET.value
    settings += [
        as_override(key.replace("__", "."), value)
        for key, value in {"eval__weights": weights, **overrides}.items()
        if value is not None
    ]
    return load_config(path, settings)


def _names_weights() -> bool:
    """Tells whether --workdir or --set names weights, or the run that has them."""
    keys = {override.partition("=")[0].strip() for override in _SET.value}
    return _WORKDIR.value is not None or not keys.isdisjoint({"eval.weights", "train.workdir"})


def config_arguments() -> list[str]:
    """Returns the flags with which another command reads the same config."""
    return ["--cfg", _CFG.value or DEFAULT, *(f"--set={override}" for override in _SET.value)]


def _named_config(
    weights: str | None, find_config: FindConfig | None
) -> tuple[str | Path, list[str]]:
    if _CFG.value is not None:
        return _CFG.value, []
    if _WORKDIR.value is not None and (Path(_WORKDIR.value) / RUN_CONFIG).is_file():
        return _WORKDIR.value, []
    if weights is not None and find_config is not None:
        start_tensorflow()  # to read tensors
        path, settings = find_config(weights)
        return path, list(settings)
    return DEFAULT, []
