"""Measures AP during a run, and keeps the best weights so far."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import keras
from pydantic import Field, TypeAdapter, ValidationError

from retinaface_tf.config import Config, CountOrZero, Fraction
from retinaface_tf.drawing import Picture
from retinaface_tf.errors import InputError, one_line
from retinaface_tf.evaluation.data import load_evaluation_data
from retinaface_tf.evaluation.evaluate import evaluate
from retinaface_tf.files import write_text
from retinaface_tf.model.network import build_network
from retinaface_tf.model.weights.files import save_weights
from retinaface_tf.runtimes.network import NetworkDetector
from retinaface_tf.runtimes.run_folder import BEST_FILE, BEST_WEIGHTS
from retinaface_tf.training.optimizer import CoupledSGD, copy_averaged
from retinaface_tf.training.tensorboard_images import draw_detections


class Measurement(NamedTuple):
    ap: dict[str, float]  # 0..1, by set
    images: list[Picture]  # a few, with faces and detections


@dataclass(frozen=True)
class Best:
    """Holds the best measurement of a run so far, as in `best.json`."""

    step: CountOrZero
    ap: Annotated[dict[str, Fraction], Field(min_length=1)]  # by set
    last_measured: CountOrZero  # the step of the last measurement, best or not

    @property
    def mean_ap(self) -> float:
        return sum(self.ap.values()) / len(self.ap)

    def save(self, file: Path) -> None:
        write_text(file, json.dumps(dataclasses.asdict(self)) + "\n")

    @staticmethod
    def load(file: Path) -> "Best | None":
        """Loads the best measurement; None if there is no file.

        Raises:
            InputError: the file is not one that a run wrote.
        """
        if not file.exists():
            return None
        try:
            return _ADAPTER.validate_json(file.read_bytes())
        except ValidationError as error:
            fault = error.errors()[0]
            key = ".".join(map(str, fault["loc"])) or "the file"
            raise InputError(
                f"{file}: {key}: expected the best AP of a run ({one_line(fault['msg'])}); if you "
                f"move it away, the next measurement counts as the best"
            ) from None


_ADAPTER = TypeAdapter(Best)


class Validation:
    """Measures a run on part of the validation set and keeps its best weights.

    The best measurement has the highest mean of the three APs. Its weights are in
    `best.weights.h5` in the workdir, its AP and step in `best.json`, which a resumed run reads.
    """

    def __init__(self, config: Config):
        """Reads labels and ground truth, so that a missing file is noticed before training starts.

        Raises:
            InputError: labels, images or ground truth are missing or broken.
        """
        self.config = config
        self.workdir = Path(config.train.workdir)
        data = load_evaluation_data(config)
        stride = max(1, round(len(data.files) / config.train.validate_images))
        self.data = data.select(list(data.files)[::stride])
        self.network = build_network(config)
        self.detector = NetworkDetector(self.network, config.exhaustive())
        self.best = Best.load(self.workdir / BEST_FILE)

    def measure(self, network: keras.Model, optimizer: CoupledSGD, step: int) -> Measurement:
        """Measures a network as it would be evaluated after `step` steps."""
        copy_averaged(network, optimizer, self.network)
        evaluation, predictions = evaluate(
            self.detector, self.data, self.config, source=str(self.workdir)
        )
        self._record(step, evaluation.ap)
        images = draw_detections(self.data.files, self.data.truth, predictions)
        return Measurement(evaluation.ap, images)

    def _record(self, step: int, ap: dict[str, float]) -> None:
        """Writes a measurement, and the weights if it is the best."""
        new = Best(step, ap, last_measured=step)
        if self.best is None or new.mean_ap > self.best.mean_ap:
            # The weights first, as best.json vouches for them.
            save_weights(self.network, self.workdir / BEST_WEIGHTS)
            self.best = new
        else:
            self.best = dataclasses.replace(self.best, last_measured=step)
        self.best.save(self.workdir / BEST_FILE)

    def has_measured(self, step: int) -> bool:
        """Tells whether the last measurement was at this step or after it."""
        return self.best is not None and self.best.last_measured >= step

    @property
    def steps_since_best(self) -> int:
        """Counts the steps between the best measurement and the last."""
        return 0 if self.best is None else self.best.last_measured - self.best.step
