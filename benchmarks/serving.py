r"""Times a served model from the bytes of a JPEG to faces: its parts, alone and under load.

    python benchmarks/serving.py --cfg configs/mobilenet025.yaml --set data.root=... \
        --weights retinaface_mobilenet025.pth --biubug6 CHECKOUT --yunet yunet_n_dynamic.onnx
    python benchmarks/serving.py --cfg configs/res50.yaml --set data.root=... --biubug6 CHECKOUT

Images are from the validation set, resized to each size and encoded again. `serving_default` of the
model that `export.py` writes is timed beside its parts, each for one pass at the image's own size:
decoding of the JPEG, the network, and decoding of boxes with NMS. It is also timed beside the ONNX
export in onnxruntime, the peer's PyTorch code with the same weights, as in its test_widerface.py
(see peers.py), and OpenCV's YuNet. Ours finds faces of every size, in as many passes as needed;
"one pass" is the signature `detect_images`. All begin with the bytes and use all cores. Without
--weights, weights are random and nothing is above the threshold, so that the steps after the
network have nothing to do.

Under load, each client sends an image, waits for the answer, and sends the next.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import peers
import turns
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config

SIZES = ((640, 480), (1024, 768), (1920, 1080))
BATCHES = (1, 8)
CLIENTS = (1, 2, 4)
SMALL = (640, 480)  # for the claim beside onnxruntime: here one pass finds faces of every size
USUAL = (1024, 768)  # for the other claims, and under load
# Claims: the most time that ours may take, in times of another's.
BESIDE_ONNXRUNTIME, BESIDE_ONE_PASS, BESIDE_PYTORCH = 1.15, 1.4, 0.5
CROWD = 100  # faces
CROWDS = 24  # images to choose from
SURE = 0.5  # score
PYTORCH = "biubug6's PyTorch"
MOST_PIECES = 10
TURN = 1.0  # seconds, for ours
SLOW = 1.5  # seconds; if a piece of work takes longer, a turn is one piece

_WEIGHTS = flags.DEFINE_string("weights", None, "Weights for ours and the peer's.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Turns of each.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 4.0, "Time of each load.", lower_bound=0.1)
_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
_YUNET = flags.DEFINE_string("yunet", None, "The ONNX file of YuNet.")


class Runners(NamedTuple):
    """Holds what detects on the bytes of JPEGs, by name, and the parts of the first."""

    whole: dict[str, Callable[[Sequence[bytes]], Any]]
    decode: Callable[[bytes], Any]
    network: Callable[[Any], Any]
    after_network: Callable[[Any], Callable[[], Any]]


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    with tempfile.TemporaryDirectory() as folder:
        config = _settings(Path(folder))
        peer = _peer(config)  # PyTorch crashes if TensorFlow was imported first
        cli.start_tensorflow()
        runners = _runners(config, Path(folder), peer)
        images = _images(config)
        speeds = {}
        for size in SIZES:
            for batch in BATCHES:
                speeds[size, batch] = _measure(runners, [_jpeg(i, size) for i in images], batch)
        if _WEIGHTS.value:
            _claim(speeds[SMALL, 1], SMALL, "onnxruntime", BESIDE_ONNXRUNTIME)
            _claim(speeds[USUAL, 1], USUAL, "one pass", BESIDE_ONE_PASS)
            _claim(speeds[USUAL, 1], USUAL, PYTORCH, BESIDE_PYTORCH)
            _claim_share(runners, [_jpeg(image, USUAL) for image in _crowds(config)])
        _load(runners, [_jpeg(image, USUAL) for image in images])
    return 0


def _settings(folder: Path) -> Config:
    """Returns the config, with random weights if none are given."""
    weights = _WEIGHTS.value
    config = read_config(weights=weights)
    if weights is None:
        # A softmax is never above 1.
        detector = replace(config.detector, score_threshold=1.0)
        config = replace(config, detector=detector)
        if _BIUBUG6.value:
            weights = str(folder / "random.pth")
            peers.biubug6_random_weights(_BIUBUG6.value, config, Path(weights))
    return replace(
        config,
        eval=replace(config.eval, weights=weights),
        export=replace(config.export, parity_images=1),
    )


def _peer(config: Config) -> dict[str, Callable[[Sequence[bytes]], Any]]:
    """Returns the peer in PyTorch, if there is one."""
    if not _BIUBUG6.value:
        return {}
    detect = peers.biubug6_detector(_BIUBUG6.value, config, config.eval.weights)

    def detect_all(files: Sequence[bytes]) -> list[Any]:
        answers = [detect(np.float32(_bgr(data))) for data in files]
        return [(found[kept], landmarks[kept]) for found, landmarks, kept in answers]

    return {PYTORCH: detect_all}


def _runners(config: Config, folder: Path, peer: dict[str, Any]) -> Runners:
    import tensorflow as tf

    from retinaface_tf.data.decode import decode_image
    from retinaface_tf.export.formats import export_model
    from retinaface_tf.export.savedmodel import served_network
    from retinaface_tf.model.detector import GraphDetector
    from retinaface_tf.model.network import build_network
    from retinaface_tf.runtimes.onnx import OnnxDetector
    from retinaface_tf.runtimes.run_folder import load_network
    from retinaface_tf.runtimes.saved_model import SavedModelDetector

    network = load_network(config)[1] if config.eval.weights else build_network(config)
    detector = GraphDetector(network, config)
    served = SavedModelDetector(export_model(detector, folder / "tf"))
    onnx = OnnxDetector(export_model(detector, folder / "onnx", "onnx") / "model.onnx")
    whole = {
        "JPEG to faces": lambda files: [part.numpy() for part in served.detect_bytes(files)],
        "onnxruntime": lambda files: [
            onnx.detect_together(part) for part in _parts(files, config.detector.max_pixels)
        ],
        "one pass": lambda files: [
            [part.numpy() for part in served(decode_image(data)[None])] for data in files
        ],
        **peer,
    }
    if _YUNET.value:
        whole["YuNet in OpenCV"] = _yunet(_YUNET.value)
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    exported = served_network(network)
    forward = tf.function(lambda x: exported(x, training=False), input_signature=[spec])

    def after_network(image: Any) -> Callable[[], Any]:
        answered = GraphDetector(_Answered(forward(image)), config)
        answered(image)  # traces
        return lambda: [part.numpy() for part in answered(image)]

    return Runners(whole, lambda data: decode_image(data)[None], forward, after_network)


class _Answered:
    """Stands for a network with known outputs, so that only what follows takes time."""

    variables = ()

    def __init__(self, predictions: dict[str, Any]):
        import tensorflow as tf

        # Variables, since a graph would compute what depends on constants only once.
        self._predictions = {name: tf.Variable(rows) for name, rows in predictions.items()}

    def __call__(self, images: Any, training: bool) -> dict[str, Any]:
        return {name: rows.read_value() for name, rows in self._predictions.items()}


def _yunet(file: str) -> Callable[[Sequence[bytes]], Any]:
    detector = cv2.FaceDetectorYN.create(file, "", (320, 320))

    def detect(files: Sequence[bytes]) -> list[Any]:
        found = []
        for pixels in map(_bgr, files):
            detector.setInputSize(pixels.shape[1::-1])
            found.append(detector.detect(pixels))
        return found

    return detect


def _bgr(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _parts(files: Sequence[bytes], budget: int) -> list[Any]:
    """Returns images RGB [B, H, W, 3], in one batch if that is not too much for the network."""
    pixels = np.stack([cv2.cvtColor(_bgr(data), cv2.COLOR_BGR2RGB) for data in files])
    return [pixels] if pixels[..., 0].size <= budget else [image[None] for image in pixels]


def _images(config: Config) -> list[Any]:
    """Returns as many images as the largest batch needs, blue first."""
    from retinaface_tf.data.dataset import validation_set

    files = list(validation_set(config).files().values())
    return [cv2.imread(str(f)) for f in files[:: max(1, len(files) // BATCHES[-1])]][: BATCHES[-1]]


def _crowds(config: Config) -> list[Any]:
    """Returns the images whose numbers of faces are closest to a hundred, blue first."""
    from retinaface_tf.data.dataset import validation_set

    records = validation_set(config)
    nearest = np.argsort(np.abs(np.diff(records.splits) - CROWD), kind="stable")[:CROWDS]
    return [cv2.imread(str(records.path(int(index)))) for index in nearest]


def _jpeg(image: Any, size: tuple[int, int]) -> bytes:
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _measure(runners: Runners, files: list[bytes], batch: int) -> dict[str, list[turns.Turn]]:
    """Times everything on batches of these images, and prints the results."""
    batches = [(files[i : i + batch],) for i in range(0, len(files), batch)]
    images = [[(runners.decode(data)) for data in each] for (each,) in batches]
    after = [[runners.after_network(image) for image in each] for each in images]
    contestants = {name: turns.over(batches, run) for name, run in runners.whole.items()}
    parts = {
        "  decoding alone": (batches, runners.decode),
        "  network alone": ([(each,) for each in images], runners.network),
        "  decode, NMS alone": ([(each,) for each in after], lambda suppress: suppress()),
    }
    for name, (inputs, run) in parts.items():
        contestants[name] = turns.over(inputs, lambda each, run=run: [run(x) for x in each])
    height, width = images[0][0].shape[1:3]
    print(f"\n{width} x {height}, batch {batch}, each image by itself but in onnxruntime")
    found = _turns(contestants, runners.whole["JPEG to faces"], batches[0][0])
    turns.report(found, images=batch)
    return found


def _turns(
    contestants: dict[str, Any], first: Callable[..., Any], batch: Sequence[bytes]
) -> dict[str, list[turns.Turn]]:
    """Takes turns of a bearable length."""
    first(batch)  # traces, and warms up
    start = time.perf_counter()
    first(batch)
    seconds = time.perf_counter() - start
    if seconds > SLOW:
        return turns.take_turns(contestants, rounds=1, pieces=1, warm_up=0)
    pieces = max(1, min(MOST_PIECES, round(TURN / seconds)))
    return turns.take_turns(contestants, rounds=_ROUNDS.value, pieces=pieces, warm_up=1)


def _claim(
    found: dict[str, list[turns.Turn]], size: tuple[int, int], other: str, most: float
) -> None:
    """Prints the time from JPEG to faces beside another's, if that was measured."""
    if other in found:
        ratio = turns.median(found["JPEG to faces"]).wall / turns.median(found[other]).wall
        print(
            f"\nat {size[0]} x {size[1]}, JPEG to faces takes {ratio:.2f} times that of {other} "
            f"(at most {most}: {'holds' if ratio <= most else 'does not hold'})"
        )


def _claim_share(runners: Runners, files: list[bytes]) -> None:
    """Prints the share of decoding and NMS for the image with closest to a hundred faces."""
    whole = runners.whole["JPEG to faces"]
    scores = np.concatenate([whole([data])[1] for data in files])
    best = int(np.argmin(np.abs(np.sum(scores > SURE, axis=1) - CROWD)))
    file, scores = files[best], scores[best]
    after = runners.after_network(runners.decode(file))
    found = turns.take_turns(
        {"whole": lambda: lambda: whole([file]), "after": lambda: after},
        rounds=_ROUNDS.value,
        pieces=MOST_PIECES,
    )
    share = turns.median(found["after"]).wall / turns.median(found["whole"]).wall
    print(
        f"decode and NMS of an image with {np.sum(scores > SURE)} faces above {SURE} and "
        f"{np.sum(scores > 0)} detections: {share:.1%} of the total (to be under 15 %: "
        f"{'holds' if share < 0.15 else 'does not hold'})"
    )


def _load(runners: Runners, files: list[bytes]) -> None:
    print("\n{:<24}{:>8}{:>9}{:>9}{:>10}".format("", "clients", "p50 ms", "p99 ms", "images/s"))
    for name in ("JPEG to faces", "onnxruntime"):
        for clients in CLIENTS:
            times, seconds = _requests(runners.whole[name], files, clients)
            p50, p99 = np.percentile(times, [50, 99]) * 1e3
            print(f"{name:<24}{clients:>8}{p50:>9.1f}{p99:>9.1f}{len(times) / seconds:>10.1f}")


def _requests(
    run: Callable[[Sequence[bytes]], Any], files: list[bytes], clients: int
) -> tuple[list[float], float]:
    """Returns the seconds of each request, and of all together."""
    times: list[float] = []
    start = time.perf_counter()

    def client(number: int) -> None:
        while time.perf_counter() < start + _SECONDS.value:
            number += 1
            sent = time.perf_counter()
            run([files[number % len(files)]])
            times.append(time.perf_counter() - sent)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, time.perf_counter() - start


if __name__ == "__main__":
    cli.run(main)
