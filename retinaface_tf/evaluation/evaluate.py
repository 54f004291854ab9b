"""Evaluates a detector: predicts by a protocol of WIDER FACE and scores the predictions."""

import time

from retinaface_tf.config import Config
from retinaface_tf.evaluation.data import EvaluationData
from retinaface_tf.evaluation.predict import Detect, predict
from retinaface_tf.evaluation.result import Evaluation
from retinaface_tf.evaluation.scoring import Predictions, score
from retinaface_tf.evaluation.stages import time_stages


def evaluate(
    detect: Detect,
    data: EvaluationData,
    config: Config,
    *,
    source: str,
    timed: bool = False,
) -> tuple[Evaluation, Predictions]:
    """Measures the AP of a detector.

    Example:
        detector = open_configured(config.exhaustive())
        data = load_evaluation_data(config)
        evaluation, _ = evaluate(detector, data, config, source=detector.source)

    Args:
        detect: a detector without limits on candidates and detections (`Config.exhaustive`), as a
            WIDER FACE image can have thousands of detections.
        data: images and their faces.
        config: section `eval` names the protocol; the whole config is kept in the result.
        source: path of the detector's weights or model.
        timed: whether to time the stages of detection on a sample, too.

    Returns:
        The evaluation, and the predictions that it scored.

    Raises:
        InputError: a file is not an image; or the protocol is ms_flip and the detector has no
            method `candidates`.
    """
    start = time.perf_counter()
    predictions = predict(detect, data.files, config)
    seconds = time.perf_counter() - start
    evaluation = score(
        predictions,
        data.truth,
        config,
        source=source,
        protocol=config.eval.protocol,
        seconds=seconds,
        speed=time_stages(detect, data.files, config) if timed else None,
    )
    return evaluation, predictions
