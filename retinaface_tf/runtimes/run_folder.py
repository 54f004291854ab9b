"""Reads the config and weights of a run's folder, for evaluation and export."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from retinaface_tf.config import Config
from retinaface_tf.config_file import RUN_CONFIG, load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import SUFFIX, load_weights
from retinaface_tf.model.weights.sample_check import warn_unless_faces_are_found
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS
from retinaface_tf.runtimes.locate import CHECKPOINTS, Kind, find_model

# The best weights by validation, and their AP and step.
BEST_WEIGHTS, BEST_FILE = f"best{SUFFIX}", "best.json"
# Settings on which the shapes and meaning of weights depend.
MODEL_KEYS = ("model.backbone", "anchors.sizes", "anchors.variances", "anchors.clip")
# TensorFlow's own list of the checkpoints, in their folder. TensorFlow's tools read it; this
# package does not, as the files themselves tell as much and cannot be out of date.
TENSORFLOW_LIST = "checkpoint"

log = logging.getLogger(__name__)


def load_network(config: Config) -> tuple[str, keras.Model]:
    """Builds the network with the weights of `eval.weights`, or else of `train.workdir`.

    A run's weights are the best if the run measured AP, else those of its newest checkpoint,
    averaged if the run averaged weights.

    Returns:
        The path of the weights, and the network.

    Raises:
        InputError: nothing is there, or something other than weights of this network.
    """
    source = config.eval.weights
    if source is None:
        return _load_run(config, Path(config.train.workdir))
    model = find_model(source)
    if model.is_exported:
        raise InputError(f"{source}: expected a run or a weights file, found an exported model")
    if model.kind is Kind.RUN:
        return _load_run(config, model.path)
    file = str(model.path)
    network = build_network(config)
    load_weights(network, file)
    if not file.endswith(SUFFIX):  # our own files were checked on import
        warn_unless_faces_are_found(network, config, source)
    return file, network


def _load_run(config: Config, workdir: Path) -> tuple[str, keras.Model]:
    best = workdir / BEST_WEIGHTS
    is_measured = best.is_file() and (workdir / BEST_FILE).is_file()
    folder = workdir / CHECKPOINTS
    files = [str(best)] if is_measured else [f"{path}{SUFFIX}" for path in _saved(folder, SUFFIX)]
    if not files:
        raise InputError(
            f"{folder}: no checkpoint found; make one with `python train.py` and the same --cfg "
            f"and --set, or name other weights with --weights, such as those of this package: "
            f"--weights {DEFAULT_WEIGHTS}"
        )
    check_same(config, MODEL_KEYS, workdir)
    network = build_network(config)
    return read_newest(files, lambda file: load_weights(network, file)), network


def read_newest(paths: Sequence[str], read: Callable[[str], None]) -> str:
    """Reads the first readable of `paths` and returns it; warns about those before it.

    Raises:
        InputError: none can be read; the message gives the reason for the last.
    """
    *newer, oldest = paths
    for path in newer:
        try:
            read(path)
        except InputError as error:
            log.warning("%s; falling back to the one before", error)
        else:
            return path
    read(oldest)
    return oldest


def saved_checkpoints(workdir: Path) -> list[str]:
    """Lists the checkpoints of a run, newest first.

    Raises:
        InputError: there are no checkpoints any more, though there were some.
    """
    folder = workdir / CHECKPOINTS
    found = _saved(folder, ".index")
    if not found and (folder / TENSORFLOW_LIST).exists():
        raise InputError(
            f"{folder / TENSORFLOW_LIST}: names checkpoints, expected files such as "
            f"step-2000.index beside it, found none; to start afresh, remove the folder"
        )
    return found


def _saved(folder: Path, suffix: str) -> list[str]:
    """Lists what was saved after a step by path, without the suffix, newest first."""
    name = re.compile(rf"step-(0|[1-9]\d*){re.escape(suffix)}")
    matches = [name.fullmatch(file.name) for file in folder.glob("step-*")]
    steps = sorted((int(match[1]) for match in matches if match), reverse=True)
    return [str(folder / f"step-{step}") for step in steps]


def newest_step(workdir: Path) -> int:
    """Returns after how many steps the newest checkpoint of a run was saved; 0 if there is none."""
    paths = saved_checkpoints(workdir)
    return int(Path(paths[0]).name.removeprefix("step-")) if paths else 0


def check_same(config: Config, keys: tuple[str, ...], workdir: Path) -> Config:
    """Compares a config with the one with which the run in a folder was started.

    Returns:
        The run's own config.

    Raises:
        InputError: some of `keys` differ; the message names each of them with both values.
    """
    file = workdir / RUN_CONFIG
    saved = load_config(file)
    differing = differences(config, saved, keys)
    if differing:
        raise InputError(f"{file}: its checkpoint belongs to another run: {differing}")
    return saved


def differences(config: Config, saved: Config, keys: Sequence[str]) -> str:
    """Names those of `keys` that differ, such as `train.seed`, with both values; "" if none do."""
    return "; ".join(
        f"{key} is {_value(config, key)} here and {_value(saved, key)} there"
        for key in keys
        if _value(config, key) != _value(saved, key)
    )


def _value(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)
