"""Reads a run's folder, for evaluation and export: its config, its weights."""

import logging
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.config_file import RUN_CONFIG, load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import SUFFIX, load_weights
from retinaface_tf.runtimes.locate import CHECKPOINTS, Kind, find_model

# The best weights by validation, and the AP and step of them.
BEST_WEIGHTS, BEST_FILE = f"best{SUFFIX}", "best.json"
# Settings that the weights' shapes and meaning depend on.
MODEL_KEYS = ("model.backbone", "anchors.sizes", "anchors.variances", "anchors.clip")

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
    network = build_network(config)
    load_weights(network, source)
    return source, network


def _load_run(config: Config, workdir: Path) -> tuple[str, keras.Model]:
    best = workdir / BEST_WEIGHTS
    is_measured = best.is_file() and (workdir / BEST_FILE).is_file()
    files = (
        [str(best)] if is_measured else [f"{path}{SUFFIX}" for path in saved_checkpoints(workdir)]
    )
    if not files:
        raise InputError(
            f"{workdir / CHECKPOINTS}: looked for a checkpoint, found none; make one with "
            f"`python train.py` and the same --cfg and --set, or name a file with --weights"
        )
    check_same(config, MODEL_KEYS, workdir)
    network = build_network(config)
    return _load_newest(network, files), network


def _load_newest(network: keras.Model, files: list[str]) -> str:
    """Loads and returns the first of `files` that can be read; warns of those before it."""
    *newer, oldest = files
    for file in newer:
        try:
            load_weights(network, file)
        except InputError as error:
            log.warning("%s; falling back to the one before", error)
        else:
            return file
    load_weights(network, oldest)
    return oldest


def saved_checkpoints(workdir: Path) -> list[str]:
    """Lists the checkpoints of a run, the newest first.

    Raises:
        InputError: there are some, but the file that tells which is the newest is gone or broken.
    """
    folder = workdir / CHECKPOINTS
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except (ValueError, tf.errors.OpError):
        state = None
    if state is not None:
        newest = state.model_checkpoint_path
        return [newest, *(p for p in state.all_model_checkpoint_paths[::-1] if p != newest)]
    if any(folder.glob("step-*.index")):
        raise InputError(
            f"{folder / 'checkpoint'}: cannot be read, yet there are checkpoints beside it; "
            f'expected a line such as model_checkpoint_path: "step-2000"'
        )
    return []


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
    differing = [
        f"{key} is {_value(config, key)} here and {_value(saved, key)} there"
        for key in keys
        if _value(config, key) != _value(saved, key)
    ]
    if differing:
        raise InputError(f"{file}: its checkpoint is of another run: {'; '.join(differing)}")
    return saved


def _value(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)
