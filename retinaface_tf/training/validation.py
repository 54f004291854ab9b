"""AP while a run goes on, the best weights so far, and whether it still gets better."""

import json
from pathlib import Path
from typing import Any

import keras

from retinaface_tf.config import Config
from retinaface_tf.drawing import Picture
from retinaface_tf.evaluation.data import load_evaluation_data
from retinaface_tf.evaluation.evaluate import evaluate
from retinaface_tf.files import write_whole
from retinaface_tf.model.detector import Detector
from retinaface_tf.model.network import build_network
from retinaface_tf.model.tiling import TiledDetector
from retinaface_tf.model.weights.files import SUFFIX, save_weights
from retinaface_tf.training.optimizer import CoupledSGD, copy_averaged
from retinaface_tf.training.pictures import picture_detections

BEST_WEIGHTS, BEST_REPORT = f"best{SUFFIX}", "best.json"


class Validation:
    """Measures a run on part of the validation set and keeps its best weights.

    The best is by the mean of the three AP. Its weights are in `best.weights.h5` of the workdir,
    its AP and step in `best.json`, from where a resumed run knows them.
    """

    def __init__(self, config: Config):
        """Reads labels and ground truth, so that what is missing shows before training starts.

        Raises:
            InputError: labels, images or ground truth are missing or broken.
        """
        self.config = config
        self.workdir = Path(config.train.workdir)
        data = load_evaluation_data(config)
        every = max(1, round(len(data.files) / config.train.validate_images))
        self.data = data.select(list(data.files)[::every])
        self.network = build_network(config)
        self.detector = TiledDetector(Detector(self.network, config.exhaustive()))
        self.pictures: list[Picture] = []

    def measure(self, network: keras.Model, optimizer: CoupledSGD, step: int) -> dict[str, float]:
        """AP (0..1) per set of a network as it would be evaluated after `step` steps.

        `pictures` then shows some images of it.
        """
        copy_averaged(network, optimizer, self.network)
        source = str(self.workdir)
        evaluation, predictions = evaluate(self.detector, self.data, self.config, source=source)
        ap = evaluation.ap
        self.pictures = picture_detections(self.data.files, self.data.truth, predictions)
        best = self._best
        if best is None or sum(ap.values()) > sum(best["ap"].values()):
            # Weights, then report; the report last, as it vouches for the weights.
            save_weights(self.network, self.workdir / BEST_WEIGHTS)
            best = {"step": step, "ap": ap}
        best["last_measured"] = step
        write_whole(self.workdir / BEST_REPORT, json.dumps(best) + "\n")
        return ap

    @property
    def last_measured(self) -> int:
        """The step of the last measurement; -1 before any."""
        best = self._best
        return -1 if best is None else best["last_measured"]

    @property
    def steps_since_best(self) -> int:
        """How many steps lie between the best measurement and the last."""
        best = self._best
        return 0 if best is None else best["last_measured"] - best["step"]

    @property
    def _best(self) -> dict[str, Any] | None:
        report = self.workdir / BEST_REPORT
        if not report.exists():
            return None
        best = json.loads(report.read_text(encoding="utf-8"))
        return {"last_measured": best["step"]} | best
