"""A run's folder, as evaluation and export read it: its config, and weights by checkpoint."""

import logging
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import SUFFIX, load_weights

CONFIG_FILE, CHECKPOINTS = "config.yaml", "checkpoints"
# What the weights' shapes and meaning depend on.
MODEL_KEYS = ("model.backbone", "anchors.sizes", "anchors.variances", "anchors.clip")

log = logging.getLogger(__name__)


def load_network(config: Config) -> tuple[str, keras.Model]:
    """Builds the network with the weights of `eval.weights`, or else of `train.workdir`.

    Of a run they are those of its newest checkpoint, averaged where the run averaged.

    Returns:
        The path of the weights, and the network.

    Raises:
        InputError: nothing there, or something else than weights of this network.
    """
    network = build_network(config)
    if config.eval.weights is not None:
        load_weights(network, config.eval.weights)
        return config.eval.weights, network
    workdir = Path(config.train.workdir)
    paths = saved_checkpoints(workdir)
    if not paths:
        raise InputError(
            f"{workdir / CHECKPOINTS}: looked for a checkpoint, found none; make one with "
            f"`python train.py` and the same --cfg and --set, or name a file with --weights"
        )
    check_same(config, MODEL_KEYS)
    return _load_newest(network, [f"{path}{SUFFIX}" for path in paths]), network


def _load_newest(network: keras.Model, files: list[str]) -> str:
    """Loads the first of `files` that can be read, and returns it; warns of those before it."""
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
    """The checkpoints of a run, the newest first.

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


def check_same(config: Config, keys: tuple[str, ...]) -> Config:
    """Compares a config with the one that the run in its workdir was started with.

    Returns:
        The run's own config.

    Raises:
        InputError: naming each of `keys` that differs, and both values.
    """
    file = Path(config.train.workdir) / CONFIG_FILE
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
