"""Reads a run's folder, for evaluation and export: its config, its weights."""

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

# The best weights by validation, and the AP and step of them.
BEST_WEIGHTS, BEST_FILE = f"best{SUFFIX}", "best.json"
# Settings that the weights' shapes and meaning depend on.
MODEL_KEYS = ("model.backbone", "anchors.sizes", "anchors.variances", "anchors.clip")
# TensorFlow's own list of the checkpoints, in their folder. Its tools read it; this package does
# not, as the files tell as much and cannot contradict themselves.
TENSORFLOW_LIST = "checkpoint"

log = logging.getLogger(__name__)


def load_network(config: Config) -> tuple[str, keras.Model]:
    """Builds the network with the weights of `eval.weights`, or else of `train.workdir`.

    Of a run, the weights are the best where it measured AP, else those of its newest checkpoint,
    averaged where the run averaged.

    Returns:
        The path of the weights, and the network.

    Raises:
        InputError: there is nothing, or something else than weights of this network.
    """
    source = config.eval.weights
    if source is None:
        return _load_run(config, Path(config.train.workdir))
    model = find_model(source)
    if model.is_exported:
        raise InputError(f"{source}: expected a run or a file of weights, found an exported model")
    if model.kind is Kind.RUN:
        return _load_run(config, model.path)
    file = str(model.path)
    network = build_network(config)
    load_weights(network, file)
    if not file.endswith(SUFFIX):  # our own were checked when they were imported
        warn_unless_faces_are_found(network, config, source)
    return file, network


def _load_run(config: Config, workdir: Path) -> tuple[str, keras.Model]:
    best = workdir / BEST_WEIGHTS
    is_measured = best.is_file() and (workdir / BEST_FILE).is_file()
    folder = workdir / CHECKPOINTS
    files = [str(best)] if is_measured else [f"{path}{SUFFIX}" for path in _saved(folder, SUFFIX)]
    if not files:
        raise InputError(
            f"{folder}: looked for a checkpoint, found none; make one with "
            f"`python train.py` and the same --cfg and --set, or name others with --weights, such "
            f"as those of this package: --weights {DEFAULT_WEIGHTS}"
        )
    check_same(config, MODEL_KEYS, workdir)
    network = build_network(config)
    return read_newest(files, lambda file: load_weights(network, file)), network


def read_newest(paths: Sequence[str], read: Callable[[str], None]) -> str:
    """Reads the first of `paths` that can be read and returns it; warns of those before it.

    Raises:
        InputError: none can be read, with the reason of the last.
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
    """Lists the checkpoints of a run, the newest first.

    Raises:
        InputError: there are none any more, though there were some.
    """
    folder = workdir / CHECKPOINTS
    found = _saved(folder, ".index")
    if not found and (folder / TENSORFLOW_LIST).exists():
        raise InputError(
            f"{folder / TENSORFLOW_LIST}: names checkpoints, expected files such as "
            f"step-2000.index beside it, found none; to start anew, remove the folder"
        )
    return found


def _saved(folder: Path, suffix: str) -> list[str]:
    """Lists the paths, without this suffix, of what was saved after a step; the newest first."""
    name = re.compile(rf"step-(0|[1-9]\d*){re.escape(suffix)}")
    matches = [name.fullmatch(file.name) for file in folder.glob("step-*")]
    steps = sorted((int(match[1]) for match in matches if match), reverse=True)
    return [str(folder / f"step-{step}") for step in steps]


def newest_step(workdir: Path) -> int:
    """Returns after how many steps the newest checkpoint of a run was saved; 0 without any."""
    paths = saved_checkpoints(workdir)
    return int(Path(paths[0]).name.removeprefix("step-")) if paths else 0


def check_same(config: Config, keys: tuple[str, ...], workdir: Path) -> Config:
    """Compares a config with the one that the run in a folder was started with.

    Returns:
        The run's own config.

    Raises:
        InputError: naming each of `keys` that differs, and both values.
    """
    file = workdir / RUN_CONFIG
    saved = load_config(file)
    differing = differences(config, saved, keys)
    if differing:
        raise InputError(f"{file}: its checkpoint is of another run: {differing}")
    return saved


def differences(config: Config, saved: Config, keys: Sequence[str]) -> str:
    """Names those of `keys` that differ, such as `train.seed`, and both values; "" if none does."""
    return "; ".join(
        f"{key} is {_value(config, key)} here and {_value(saved, key)} there"
        for key in keys
        if _value(config, key) != _value(saved, key)
    )


def _value(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)
