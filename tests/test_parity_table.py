"""One table of all that runs a model: each finds what the detector finds, but for rounding.

`pytest -rP tests/test_parity_table.py` prints the figures.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from exported_models import SIDE
from PIL import Image
from serving.c_api import CModel

from retinaface_tf.data.decode_host import read_image
from retinaface_tf.detections import Detections
from retinaface_tf.export.parity import OTHER_RUNTIME, compare_detectors
from retinaface_tf.runtimes.opening import open_exported
from retinaface_tf.samples import SAMPLES
from retinaface_tf.structures import DetectionBatch

Answer = Callable[[np.ndarray], DetectionBatch]

# Squares as LiteRT has them, which resizes nothing then: 3 x 4 of each photograph.
SQUARES = np.stack(
    [
        read_image(file)[y : y + SIDE, x : x + SIDE]
        for file in SAMPLES
        for y in range(0, 4 * SIDE, SIDE)
        for x in range(0, 3 * SIDE, SIDE)
    ]
)


@pytest.fixture(scope="module")
def expected(tiny) -> DetectionBatch:
    return DetectionBatch(*(part.numpy() for part in tiny(SQUARES)))


@pytest.fixture
def saved_model_in_python(saved_model) -> Answer:
    return open_exported(saved_model)


@pytest.fixture
def saved_model_in_cpp(saved_model) -> Answer:
    model = CModel(saved_model)

    def answer(images: np.ndarray) -> DetectionBatch:
        outputs = model("detect_images", images=images)
        return DetectionBatch(*(outputs[name] for name in DetectionBatch._fields))

    return answer


@pytest.fixture
def onnx_in_onnxruntime(onnx_file) -> Answer:
    return open_exported(onnx_file)


@pytest.fixture
def onnx_in_openvino(onnx_file) -> Answer:
    openvino = pytest.importorskip("openvino")
    try:
        # On CPUs that have bfloat16, it would round to that.
        precision = {"INFERENCE_PRECISION_HINT": "f32"}
        model = openvino.compile_model(onnx_file, "CPU", precision)
    except RuntimeError as error:
        pytest.skip(f"OpenVINO refuses our ONNX: {error}")

    def answer(images: np.ndarray) -> DetectionBatch:
        outputs = model({"images": images})
        return DetectionBatch(*(outputs[name] for name in DetectionBatch._fields))

    return answer


@pytest.fixture
def litert(litert_files) -> Answer:
    return open_exported(litert_files["float32"])


@pytest.fixture
def ray(onnx_file, command, tmp_path) -> Answer:
    """Runs the command `batch` on Ray, with an image of each square."""

    def answer(images: np.ndarray) -> DetectionBatch:
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / f"{number:03d}.png")
        done = command(
            *("-m", "retinaface_tf.batch", tmp_path, "--engine=ray", "--workers=2"),
            *(f"--weights={onnx_file}", f"--out={tmp_path / 'out'}", "--score=0"),
        )
        assert done.returncode == 0, done.stderr
        return read_rows(tmp_path / "out", len(images))

    return answer


def read_rows(out: Path, images: int) -> DetectionBatch:
    rows = pq.read_table(out / "detections").sort_by("path").to_pylist()
    assert len(rows) == images
    counts = np.array([len(row["faces"]) for row in rows])
    boxes, scores, landmarks = (
        np.zeros((images, counts.max(), *shape), np.float32) for shape in ((4,), (), (5, 2))
    )
    for number, row in enumerate(rows):
        for place, face in enumerate(row["faces"]):
            boxes[number, place] = face["box"]
            scores[number, place] = face["score"]
            landmarks[number, place] = face["landmarks"]
    return DetectionBatch(boxes, scores, landmarks, counts)


@pytest.mark.parametrize(
    "runtime",
    [
        *("saved_model_in_python", "saved_model_in_cpp", "onnx_in_onnxruntime"),
        *("onnx_in_openvino", "litert", pytest.param("ray", marks=pytest.mark.slow)),
    ],
)
def test_every_runtime_finds_what_the_detector_finds(runtime, request, tiny, expected):
    found = request.getfixturevalue(runtime)(SQUARES)
    pairs = {str(image): (one(expected, image), one(found, image)) for image in range(len(SQUARES))}
    parity = compare_detectors(pairs, tiny.config, OTHER_RUNTIME)
    print(f"{runtime}: {parity}")
    assert parity.holds(OTHER_RUNTIME), parity
    assert parity.paired > 100


def one(batch: DetectionBatch, image: int) -> DetectionBatch:
    return Detections.of_image(batch, image).as_batch()
