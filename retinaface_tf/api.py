"""Offers in one place what users call: loading, training, evaluating and exporting detectors.

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
    """Says how far a training run got.

    Examples:
        >>> TrainResult(Path("runs/mine"), steps=1000, complete=True, best_ap=None).complete
        True

    Attributes:
        workdir: the run's folder, which `load_detector` takes.
        steps: training steps done.
        complete: whether the run is finished; if not, the same call continues it.
        best_ap: the best AP that the run measured, by set (easy, medium, hard); None if it
            measured none.
    """

    workdir: Path
    steps: int
    complete: bool
    best_ap: dict[str, float] | None


def load_detector(
    source: str | Path = DEFAULT_WEIGHTS, *, config: Config | None = None
) -> Detector:
    """Loads a face detector for RGB images from any source of weights.

    Examples:
        >>> detector = load_detector()
        >>> faces = detector.detect("photo.jpg")
        >>> faces.boxes.shape == (len(faces), 4)
        True

    Args:
        source: the name of weights shipped with the package (with their config); a run's folder
            (with its config; the best weights if the run measured AP, else the newest); a file of
            weights of this or another project, or the name of a Hugging Face hub repository (with
            the config of the run that holds it, else the package's config for its backbone); or
            an exported model: its folder, one version in it, an `.onnx` or a `.tflite` file. A
            path that holds a model wins over a name.
        config: for the network and its thresholds, instead of the config found with the weights.
            An exported model always uses its own.

    Raises:
        InputError: `source` does not exist or is not a model, or its weights are not for the
            config's network.
    """
    return open_detector(source, config)


def train(config: Config, *, resume: bool = True) -> TrainResult:
    """Trains a network to its last epoch, or until SIGTERM, SIGHUP or Ctrl-C stops it.

    Examples:
        >>> result = train(load_config("quickstart"))
        >>> result.complete
        True
        >>> detector = load_detector(result.workdir)

    Args:
        config: of the run; `train.workdir` is its folder.
        resume: continues from the newest checkpoint in the folder; False refuses a folder that
            has checkpoints.

    Raises:
        InputError: data, weights or the folder cannot be used as they are.
        LostWorkerError: another worker of the run was lost; the same call continues the run.
        StoppedError: a signal stopped the run before its first step.
    """
    from retinaface_tf.runtimes.run_folder import BEST_FILE, newest_step
    from retinaface_tf.training import loop
    from retinaface_tf.training.validation import Best

    complete = loop.train(config, resume=resume)
    workdir = Path(config.train.workdir)
    best = Best.load(workdir / BEST_FILE)
    return TrainResult(workdir, newest_step(workdir), complete, None if best is None else best.ap)


def evaluate(detector: Detector, data: str | Path | Config) -> "Evaluation":
    """Measures the AP of a detector by the WIDER FACE protocol.

    Examples:
        >>> evaluation = evaluate(load_detector("runs/mine"), "data/widerface")
        >>> sorted(evaluation.ap)
        ['easy', 'hard', 'medium']
        >>> evaluation.save(Path("eval"))  # writes eval/eval.json

    Args:
        detector: from `load_detector`. If made from weights, it is measured without its limits on
            candidates and detections, as a WIDER FACE image can have thousands.
        data: a folder in the layout of WIDER FACE, with `val/label.txt`, `val/images` and
            `ground_truth`; or a config, whose sections `data` and `eval` apply.

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
    """Exports a detector as the next version of a model, and checks that their answers agree.

    Examples:
        >>> export_model(load_detector("runs/mine"), "models/mine", format="onnx").as_posix()
        'models/mine/1'

    Args:
        detector: made from weights; an export cannot be exported again.
        out: the folder of the model's versions.
        format: `savedmodel`, `onnx` or `litert`.
        keep: how many of the newest versions to keep; None keeps all.

    Returns:
        The folder of the new version.

    Raises:
        InputError: the detector is itself an export or has no limits, the format is unknown, the
            folder cannot be written or holds another format, or an extra is not installed.
        DoesNotHold: the export's answers differ from the detector's; no version was written.
    """
    from retinaface_tf.export import formats
    from retinaface_tf.runtimes.network import NetworkDetector

    if not isinstance(detector, NetworkDetector):
        raise InputError(f"{detector.source}: expected a detector of weights, found an export")
    if format not in formats.FORMATS:
        raise InputError(f"{format}: expected a format of {', '.join(formats.FORMATS)}")
    return formats.export_model(detector.graph, out, format, source=detector.source, keep=keep)
