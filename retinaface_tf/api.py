"""Offers in one place what users call: open, train, evaluate and export detectors.

Imports TensorFlow only where a function needs it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from retinaface_tf.config import Config
from retinaface_tf.errors import InputError
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.runtimes.opening import open_detector

if TYPE_CHECKING:
    from retinaface_tf.evaluation.result import Evaluation


@dataclass(frozen=True)
class TrainResult:
    """Says how far a training run came.

    Examples:
        >>> TrainResult(Path("runs/mine"), steps=1000, complete=True, best_ap=None).complete
        True

    Attributes:
        workdir: the run's folder, which `load_detector` takes.
        steps: training steps done.
        complete: whether the run is; otherwise the same call goes on.
        best_ap: the best AP by set (easy, medium, hard) that the run measured; None without.
    """

    workdir: Path
    steps: int
    complete: bool
    best_ap: dict[str, float] | None


def load_detector(
    source: str | Path = DEFAULT_WEIGHTS, *, config: Config | None = None
) -> Detector:
    """Loads a detector of faces in RGB images by whatever names its weights.

    Examples:
        >>> detector = load_detector()
        >>> faces = detector.detect("photo.jpg")
        >>> faces.boxes.shape == (len(faces), 4)
        True

    Args:
        source: the name of weights that travel with the package (their own config); a run's folder
            (its own config; its best weights where it measured AP, else its newest); a file of
            weights, of this project or of another, or a name of the Hugging Face hub (the config
            of the run where it lies, else the package's own of its backbone); or an exported
            model: its folder, one version of it, an `.onnx` or a `.tflite` file. What holds a
            model at a path wins over a name.
        config: of the network and its thresholds, instead of those. An exported model has its own.

    Raises:
        InputError: there is nothing at `source`, something else, or weights of another network than
            that of the config.
    """
    return open_detector(source, config)


def train(config: Config, *, resume: bool = True) -> TrainResult:
    """Trains a network until its last epoch, or until SIGTERM, SIGHUP or Ctrl-C asks to stop.

    Examples:
        >>> result = train(load_config("quickstart"))
        >>> result.complete
        True
        >>> detector = load_detector(result.workdir)

    Args:
        config: of the run; `train.workdir` is its folder.
        resume: goes on from the newest checkpoint there; False refuses to.

    Raises:
        InputError: data, weights or the folder cannot be used as they are.
        LostWorkerError: another worker of the run is gone; the same call goes on.
        StoppedError: a signal asked to stop before the first step.
    """
    from retinaface_tf.runtimes.run_folder import BEST_FILE, newest_step
    from retinaface_tf.training import loop
    from retinaface_tf.training.validation import Best

    complete = loop.train(config, resume=resume)
    workdir = Path(config.train.workdir)
    best = Best.load(workdir / BEST_FILE)
    return TrainResult(workdir, newest_step(workdir), complete, None if best is None else best.ap)


def evaluate(detector: Detector, data: str | Path | Config) -> "Evaluation":
    """Measures AP of a detector by the protocol of WIDER FACE.

    Examples:
        >>> evaluation = evaluate(load_detector("runs/mine"), "data/widerface")
        >>> sorted(evaluation.ap)
        ['easy', 'hard', 'medium']
        >>> evaluation.save(Path("eval"))  # writes eval/eval.json

    Args:
        detector: of `load_detector`; one of weights is measured without its limits on candidates
            and detections, as an image of WIDER FACE has up to thousands.
        data: a folder in the layout of WIDER FACE, with `val/label.txt`, `val/images` and
            `ground_truth`; or a config, whose sections `data` and `eval` hold.

    Raises:
        InputError: labels, images or ground truth are missing or broken.
    """
    from retinaface_tf.evaluation.data import load_evaluation_data
    from retinaface_tf.evaluation.evaluate import evaluate as evaluate_on
    from retinaface_tf.runtimes.network import NetworkDetector

    config = detector.config
    if isinstance(data, Config):
        config = replace(config, data=data.data, eval=data.eval)
    else:
        config = replace(config, data=replace(config.data, root=str(data)))
    config = config.exhaustive()
    if isinstance(detector, NetworkDetector):
        detector = NetworkDetector(detector.graph.network, config, detector.source)
    examples = load_evaluation_data(config)
    evaluation, _ = evaluate_on(detector, examples, config, source=detector.source)
    return evaluation


def export_model(
    detector: Detector,
    out: str | Path,
    format: str = "savedmodel",
    *,
    keep: int | None = None,
) -> Path:
    """Exports a detector as the next version of a model, and checks that both answer alike.

    Examples:
        >>> export_model(load_detector("runs/mine"), "models/mine", format="onnx").as_posix()
        'models/mine/1'

    Args:
        detector: of weights, not itself an export.
        out: folder of the model's versions.
        format: `savedmodel`, `onnx` or `litert`.
        keep: how many of the newest versions to keep; None keeps all.

    Returns:
        The folder of the new version.

    Raises:
        InputError: the detector is itself an export or has no limits, the format is unknown, the
            folder cannot be written or has models of another format, or an extra is missing.
        DoesNotHold: the export answers otherwise than the detector; no version was written.
    """
    from retinaface_tf.export import formats
    from retinaface_tf.runtimes.network import NetworkDetector

    if not isinstance(detector, NetworkDetector):
        raise InputError(f"{detector.source}: expected a detector of weights, found an export")
    if format not in formats.FORMATS:
        raise InputError(f"{format}: expected a format of {', '.join(formats.FORMATS)}")
    return formats.export_model(detector.graph, out, format, source=detector.source, keep=keep)
