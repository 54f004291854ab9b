"""Gathers the images on which a detector is evaluated, and the faces in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from retinaface_tf.config import Config
from retinaface_tf.data.dataset import validation_set
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.average_precision import GroundTruth
from retinaface_tf.evaluation.wider import load_ground_truth


@dataclass(frozen=True)
class EvaluationData:
    """Holds images and their ground truth by name, `event/image` without extension."""

    files: Mapping[str, Path]
    truth: Mapping[str, GroundTruth]

    def select(self, names: Iterable[str]) -> "EvaluationData":
        """Returns only the images with these names, in the order of the names."""
        files = {name: self.files[name] for name in names}
        return EvaluationData(
            files, {name: self.truth[name] for name in files if name in self.truth}
        )


def load_evaluation_data(config: Config) -> EvaluationData:
    """Reads the validation set and its ground truth.

    Raises:
        InputError: labels, images or ground truth are missing or broken.
    """
    files = validation_set(config).files()
    return EvaluationData(files, load_ground_truth(config.ground_truth_folder))


def find_images(config: Config) -> dict[str, Path]:
    """Finds the images of the validation set that exist; none if its labels are missing.

    Predictions can be scored without images, which only illustrate the report.
    """
    try:
        files = read_records(config.below_root(config.data.val_labels)).files()
    except InputError:
        return {}
    return {name: file for name, file in files.items() if file.is_file()}
