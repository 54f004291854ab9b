"""A detector of a few weights and its exports, each made once for all tests."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_network import tiny_detector

from retinaface_tf.config import Config, DetectorConfig, ExportConfig
from retinaface_tf.export.formats import export_model
from retinaface_tf.model.detector import GraphDetector

SIDE = 96  # pixels of the squares that LiteRT and the signature detect_resized see
ROOM = 100  # detections that an answer has room for


@pytest.fixture(scope="session")
def tiny_config(drawn: Path) -> Config:
    """Limits, small squares, and drawn faces for the parity check."""
    config = Config()
    return replace(
        config,
        data=replace(config.data, root=str(drawn), image_size=SIDE),
        detector=DetectorConfig(max_detections=ROOM),
        export=ExportConfig(resized_side=SIDE, parity_images=2),
    )


@pytest.fixture(scope="session")
def tiny(tiny_config: Config) -> GraphDetector:
    return tiny_detector(tiny_config)


@pytest.fixture(scope="session")
def saved_model(tiny: GraphDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a SavedModel's first version."""
    models = tmp_path_factory.mktemp("models") / "retinaface"
    return export_model(tiny, models, source="made-up weights")


@pytest.fixture(scope="session")
def onnx_file(tiny: GraphDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models") / "onnx"
    return export_model(tiny, models, "onnx", source="made-up weights") / "model.onnx"


@pytest.fixture(scope="session")
def litert_files(tiny: GraphDetector, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns files by precision."""
    models = tmp_path_factory.mktemp("models") / "litert"
    version = export_model(tiny, models, "litert", source="made-up weights")
    files = version.glob("*.tflite")
    return {file.stem.removeprefix("model_"): file for file in files}
