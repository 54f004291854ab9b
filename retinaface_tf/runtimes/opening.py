"""Opens a detector, whatever holds it: a run, weights, a SavedModel, an ONNX or LiteRT model.

TensorFlow is imported only for what needs it.
"""

import dataclasses
import logging
from pathlib import Path
from typing import NamedTuple

from retinaface_tf.config import Config
from retinaface_tf.config_file import load_config
from retinaface_tf.errors import InputError
from retinaface_tf.runtimes.detector import Detector
from retinaface_tf.runtimes.locate import Kind, ModelPath, find_model, run_of

# The configs that the package has, by their backbones; the first is that of all other backbones.
CONFIGS = {"resnet50": "res50", "mobilenet025": "mobilenet025"}

log = logging.getLogger(__name__)


class ConfigName(NamedTuple):
    """Names a config as `load_config` takes it."""

    path: str | Path
    overrides: tuple[str, ...] = ()


def open_detector(source: str | Path, config: Config | None = None) -> Detector:
    """Opens a detector by whatever names its weights.

    Args:
        source: see `find_model`.
        config: of a network and its thresholds; None takes the config that belongs to the weights.
            An exported model has its own.

    Raises:
        InputError: there are no such weights, they contradict the config, or no such model.
    """
    model = find_model(source)
    if model.is_exported:
        detector = _open_exported(model)
    else:
        named = config or load_config(*config_of(model))
        evaluation = dataclasses.replace(named.eval, weights=str(source))
        detector = open_network(dataclasses.replace(named, eval=evaluation))
    log.info("detecting with %s", detector.source)
    return detector


def open_network(config: Config) -> Detector:
    """Opens the detector whose weights a config names in `eval.weights` or `train.workdir`."""
    from retinaface_tf.runtimes.network import NetworkDetector
    from retinaface_tf.runtimes.run_folder import load_network

    source, network = load_network(config)
    return NetworkDetector(network, config, source)


def _open_exported(model: ModelPath) -> Detector:
    if model.kind is Kind.ONNX:
        from retinaface_tf.runtimes.onnx import OnnxDetector

        return OnnxDetector(model.path)
    if model.kind is Kind.LITERT:
        from retinaface_tf.runtimes.litert import LiteRtDetector

        return LiteRtDetector(model.path)
    from retinaface_tf.runtimes.saved_model import SavedModelDetector

    return SavedModelDetector(model.path)


def config_of(model: ModelPath) -> ConfigName:
    """Names the config that belongs to weights.

    It is that of the run where they lie, or else the package's own of the backbone that the
    tensors tell.

    Raises:
        InputError: there are no such weights, or they tell no backbone.
    """
    run = model.path if model.kind is Kind.RUN else run_of(model.path)
    if run is not None:
        return ConfigName(run)
    from retinaface_tf.model.weights.files import find_backbone

    backbone = find_backbone(model.path)
    if backbone is None:
        raise InputError(f"{model.path}: tells no backbone known here; name a config with --cfg")
    name = CONFIGS.get(backbone, CONFIGS["resnet50"])
    return ConfigName(name, (f"model.backbone={backbone}",))
