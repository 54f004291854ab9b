"""Loads and saves the weights of networks."""

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from retinaface_tf.errors import InputError, one_line
from retinaface_tf.files import atomic_file
from retinaface_tf.model.backbones import BACKBONES
from retinaface_tf.model.network import name_of_network
from retinaface_tf.model.weights.assignment import assign, check_complete
from retinaface_tf.model.weights.h5_file import check_file, write_checksum
from retinaface_tf.model.weights.imported import read_imported
from retinaface_tf.model.weights.names import backbone_of
from retinaface_tf.model.weights.state_dict import find_file
from retinaface_tf.model.weights.zoo import log_licence

SUFFIX = ".weights.h5"
# Attributes of a file: the network that it was saved from, and where it comes from, in JSON.
NETWORK, PROVENANCE = "network", "provenance"

log = logging.getLogger(__name__)


def load_weights(network: keras.Model, source: str | Path) -> None:
    """Loads weights of this or another project into a network or a backbone.

    Args:
        network: from build_network or build_backbone.
        source: a file that `save_weights` wrote for the same kind of network; a file of PyTorch,
            safetensors or MindSpore; the name of weights in the package or of a Hugging Face hub
            repository.

    Raises:
        InputError: `source` does not exist, or does not hold exactly this network's weights.
    """
    path = find_file(source)
    if path.name.endswith(SUFFIX):
        load_saved(network, path)
        _check_finite(network, path)
        log_licence(path)
        return
    imported = read_imported(path)
    check_complete(assign(network, imported), imported, network)
    log.info("%s: %s, SHA-256 %s", source, imported.file_kind, sha256(path))


def find_backbone(source: str | Path) -> str | None:
    """Tells the backbone of weights from their tensors; None if they do not tell.

    Args:
        source: as for `load_weights`.

    Raises:
        InputError: `source` does not exist, or holds no weights.
    """
    path = find_file(source)
    if not path.name.endswith(SUFFIX):
        return backbone_of(read_imported(path).tensors)
    try:
        with h5py.File(path) as file:
            saved = str(file.attrs.get(NETWORK, ""))
    # A damaged file can raise almost anything.
    except Exception:
        raise InputError(f"{path}: not a weights file, or broken") from None
    by_name = {name_of_network(backbone): backbone for backbone in BACKBONES}
    return by_name.get(saved, saved) or None


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_saved(network: keras.Model, path: Path) -> None:
    """Loads a file that `save_weights` wrote for the same kind of network, finite or not.

    Raises:
        InputError: the file is of another kind, for another network, or damaged.
    """
    refusal = f"{path}: not the weights of a {network.name}"
    try:
        check_file(path)
        with h5py.File(path) as file:
            saved = str(file.attrs.get(NETWORK, network.name))
        # A backbone takes its part of a whole network.
        if saved not in (network.name, name_of_network(network.name)):
            raise InputError(f"{refusal}, but of a {saved:.40}")
        with warnings.catch_warnings():
            # Keras only warns about layers that it leaves unchanged.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    except InputError:
        raise
    # A damaged file can raise almost anything, in HDF5 and in Keras.
    except Exception as error:
        raise InputError(
            f"{refusal}, or not with these anchors, or broken: {one_line(error)}"
        ) from None


def _check_finite(network: keras.Model, path: Path) -> None:
    for variable in network.variables:
        if not np.isfinite(variable.numpy()).all():
            raise InputError(f"{path}: expected finite numbers, {variable.path} has others")


def save_weights(
    network: keras.Model, path: str | Path, provenance: Mapping[str, str] | None = None
) -> None:
    """Writes weights to a file, whole or not at all.

    Args:
        network: from build_network or build_backbone.
        path: ends in `.weights.h5`.
        provenance: written to the attribute `provenance` of the file, as JSON.

    Raises:
        InputError: the path has another suffix, or the file cannot be written.
    """
    path = Path(path)
    check_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as scratch:
            network.save_weights(scratch)
            with h5py.File(scratch, "a") as file:
                file.attrs[NETWORK] = network.name
                if provenance is not None:
                    file.attrs[PROVENANCE] = json.dumps(provenance)
                write_checksum(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def check_name(path: Path) -> None:
    """Checks that a file is named as Keras requires.

    Raises:
        InputError: its name does not end in `.weights.h5`.
    """
    if not path.name.endswith(SUFFIX):
        raise InputError(f"{path}: expected a name that ends in {SUFFIX}")
