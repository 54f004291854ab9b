"""Opens a detector from a run, weights, a SavedModel, an ONNX or a LiteRT model.

TensorFlow is imported only if needed.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.zoo import weights_in
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.runtimes.locate import Kind, ModelPath, find_model, run_of

# Configs of the package by backbone; other backbones take the first.
CONFIGS = {"resnet50": "res50", "mobilenet025": "mobilenet025"}

log = logging.getLogger(__name__)


class ConfigName(NamedTuple):
    """Names a config as `load_config` takes it."""

    path: str | Path
    overrides: tuple[str, ...] = ()


def open_detector(source: str | Path, config: Config | None = None) -> Detector:
    """Opens a detector from any source of weights.

    Args:
        source: as for `find_model`.
        config: for a network and its thresholds; None takes the config that belongs to the weights.
            An exported model always uses its own.

    Raises:
        InputError: there is no such model, there are no such weights, or they do not fit the
            config.
    """
    if find_model(source).is_exported:
        return open_exported(source)
    named = config or load_config(*find_config(source))
    return open_configured(replace(named, eval=replace(named.eval, weights=str(source))))


def open_configured(config: Config) -> Detector:
    """Opens the detector that a config names by `eval.weights`, or else by `train.workdir`.

    Raises:
        InputError: as for `open_detector`.
    """
    source = config.eval.weights
    if source is not None and find_model(source).is_exported:
        return open_exported(source)
    from retinaface_tf.runtimes.network import NetworkDetector
    from retinaface_tf.runtimes.run_folder import load_network

    file, network = load_network(config)
    log.info("detecting with %s", file)
    return NetworkDetector(network, config, file)


def open_exported(source: str | Path) -> Detector:
    """Opens an exported model.

    Raises:
        InputError: there is no exported model at this path.
    """
    model = find_model(source)
    if not model.is_exported:
        raise InputError(
            f"{source}: expected an exported model: a folder, an .onnx or a .tflite file; make one "
            f"with `python export.py --out ...`"
        )
    detector = _open_runtime(model)
    log.info("detecting with %s", detector.source)
    return detector


def _open_runtime(model: ModelPath) -> Detector:
    if model.kind is Kind.ONNX:
        from retinaface_tf.runtimes.onnx import OnnxDetector

        return OnnxDetector(model.path)
    if model.kind is Kind.LITERT:
        from retinaface_tf.runtimes.litert import LiteRtDetector

        return LiteRtDetector(model.path)
    from retinaface_tf.runtimes.saved_model import SavedModelDetector

    return SavedModelDetector(model.path)


def find_config(source: str | Path) -> ConfigName:
    """Names the config that belongs to weights.

    It is the config of the run that holds the weights, the config shipped with named weights, or
    else the package's config for the backbone, which the tensors tell. An exported model has its
    own config of the network; for all other settings, the package's first config is named.

    Args:
        source: as for `find_model`.

    Raises:
        InputError: there are no such weights, or they do not tell the backbone.
    """
    model = find_model(source)
    run = model.path if model.kind is Kind.RUN else run_of(model.path)
    if run is not None:
        return ConfigName(run)
    if (named := weights_in(model.path)) is not None:
        return ConfigName(named.config)
    if model.is_exported:
        return ConfigName(CONFIGS["resnet50"])
    from retinaface_tf.model.weights.files import find_backbone

    backbone = find_backbone(source)
    if backbone is None:
        raise InputError(f"{source}: the tensors do not tell the backbone; name a config")
    name = CONFIGS.get(backbone, CONFIGS["resnet50"])
    return ConfigName(name, (f"model.backbone={backbone}",))
