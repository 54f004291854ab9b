"""Files of weights into networks, and networks into files."""

import json
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import h5py
import keras

from retinaface_tf.errors import InputError
from retinaface_tf.model.foreign import assign, check_full, read_foreign
from retinaface_tf.model.state_dict import find_file

SUFFIX = ".weights.h5"
PROVENANCE = "provenance"  # attribute of a file that was imported: JSON


def load_weights(network: keras.Model, source: str | Path) -> None:
    """Loads weights of ours or of others into a network or a backbone.

    Args:
        network: of build_network or build_backbone.
        source: a file that `save_weights` wrote for the same kind of network; a file of PyTorch,
            safetensors or MindSpore; a name of the Hugging Face hub.

    Raises:
        InputError: no such file, no weights, or not all and only those of this network.
    """
    path = find_file(source)
    if path.name.endswith(SUFFIX):
        _load_ours(network, path)
        return
    foreign = read_foreign(path)
    check_full(assign(network, foreign), foreign, network)


def _load_ours(network: keras.Model, path: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that it leaves as they are.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: not weights of a {network.name} like this: {reason}") from None


def save_weights(
    network: keras.Model, path: str | Path, provenance: Mapping[str, str] | None = None
) -> None:
    """Writes weights, beside their place first, so that what is there is whole.

    Args:
        network: whose weights to write.
        path: ends in `.weights.h5`.
        provenance: goes into the attribute `provenance` of the file, as JSON.

    Raises:
        InputError: another suffix, or a place that cannot be written.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise InputError(f"{path}: expected a name that ends in {SUFFIX}")
    scratch = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        network.save_weights(scratch)
        if provenance is not None:
            with h5py.File(scratch, "a") as file:
                file.attrs[PROVENANCE] = json.dumps(provenance)
        scratch.rename(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
