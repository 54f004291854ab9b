"""Shows an evaluation as one self-contained HTML page (needs matplotlib)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retinaface_tf.data.widerface import ATTRIBUTES
from retinaface_tf.evaluation.average_precision import SETS, precision_recall_of
from retinaface_tf.evaluation.calibration import Threshold, calibrate
from retinaface_tf.evaluation.data import EvaluationData
from retinaface_tf.evaluation.outcome import (
    Outcome,
    Reliability,
    examine,
    false_detections,
    max_f1_threshold,
    missed_faces,
    reliability,
)
from retinaface_tf.evaluation.report import TEMPLATES, plots
from retinaface_tf.evaluation.report.gallery import (
    Thumbnail,
    false_thumbnails,
    missed_thumbnails,
)
from retinaface_tf.evaluation.report.published import PUBLISHED, Published
from retinaface_tf.evaluation.result import Evaluation
from retinaface_tf.evaluation.scoring import Predictions
from retinaface_tf.evaluation.subsets import (
    Event,
    Subset,
    ap_by_attribute,
    ap_by_event,
    ap_by_height,
)
from retinaface_tf.evaluation.wider import load_attributes
from retinaface_tf.geometry.heights import HEIGHT_NAMES
from retinaface_tf.html_page import write_page

PAGE_FILE = "report.html"
_WIDER_FACE = "0--Parade"  # an event that only WIDER FACE has
_PRECISIONS = (0.9, 0.95, 0.99)  # for which the page names score thresholds


@dataclass(frozen=True)
class Calibration:
    """Holds the score thresholds for a precision: for all detections, and by face height."""

    precision: float
    overall: Threshold
    by_height: list[Threshold]  # as in HEIGHTS


@dataclass(frozen=True)
class Figures:
    """Holds plots as SVG, and tables of AP by part."""

    threshold: float  # of score, with the highest F1 on the set hard
    faces: dict[str, int]  # by set
    curve_plot: str
    height_plot: str
    heights: list[Subset]
    reliability_plot: str
    reliability: Reliability
    calibrations: list[Calibration]
    attributes: dict[str, list[Subset]] | None  # None if neither labels nor ground truth have them
    events: list[Event]


@dataclass(frozen=True)
class Gallery:
    """Holds thumbnails, and the choices by which the page filters them."""

    name: str
    total: int  # of missed faces or false detections; the page shows at most MAX_THUMBNAILS
    thumbnails: list[Thumbnail]

    @property
    def events(self) -> list[str]:
        """Returns the events of the thumbnails."""
        return sorted({each.event for each in self.thumbnails})

    @property
    def reasons(self) -> list[str]:
        """Returns the reasons of the thumbnails."""
        return sorted({each.reason for each in self.thumbnails})

    @property
    def heights(self) -> list[str]:
        """Returns the classes of height of the thumbnails, smallest first."""
        return [name for name in HEIGHT_NAMES if name in {t.height_class for t in self.thumbnails}]


def write_report(
    folder: Path,
    evaluation: Evaluation,
    predictions: Predictions,
    data: EvaluationData,
    precision: float | None = None,
) -> Path:
    """Writes `report.html` into a folder, which is created if it does not exist.

    Args:
        folder: for the page.
        evaluation: of the predictions; its config says where labels and ground truth are.
        predictions: the scored predictions.
        data: on which they were scored; images that it lacks are not shown.
        precision: another precision for which the page names a score threshold.

    Raises:
        InputError: the attributes do not belong to the faces of the ground truth.
    """
    config, maker = evaluation.config, evaluation.maker
    outcome = examine(predictions, data.truth, config.eval.iou)
    precisions = sorted({*_PRECISIONS, *([] if precision is None else [precision])})
    figures = _figures(outcome, evaluation, data, precisions)
    published = _published(maker, data)
    shown = maker.config if maker.protocol is not None else config
    return write_page(
        folder / PAGE_FILE,
        TEMPLATES,
        "report.html",
        evaluation=evaluation,
        maker=maker,
        config_text=json.dumps(shown.as_dict(), indent=2),
        published=published,
        yardstick=max(published, key=lambda each: each.hard, default=None),
        height_names=HEIGHT_NAMES,
        sets=SETS,
        attribute_names=tuple(ATTRIBUTES),
        figures=figures,
        galleries=_galleries(outcome, data, figures.threshold),
        images_found=len(data.files.keys() & data.truth.keys()),
        labels=config.below_root(config.data.val_labels),
    )


def _published(maker: Evaluation, data: EvaluationData) -> list[Published]:
    """Selects published figures for the backbone and protocol, if the data is WIDER FACE."""
    if not any(image.startswith(_WIDER_FACE) for image in data.truth):
        return []
    ours = maker.config.model.backbone, maker.protocol
    return [each for each in PUBLISHED if (each.backbone, each.protocol) == ours]


def _figures(
    outcome: Outcome, evaluation: Evaluation, data: EvaluationData, precisions: Sequence[float]
) -> Figures:
    config = evaluation.config
    threshold = max_f1_threshold(outcome, "hard")
    labels = config.below_root(config.data.val_labels)
    attributes = load_attributes(config.ground_truth_folder, labels, data.truth)
    diagram, heights = reliability(outcome, "hard"), ap_by_height(outcome, threshold)
    curves = {
        name.capitalize(): precision_recall_of(outcome.matches, outcome.in_set[name])
        for name in SETS
    }
    by_attribute = None if attributes is None else ap_by_attribute(outcome, attributes, threshold)
    return Figures(
        threshold=threshold,
        faces={name: int(outcome.in_set[name].sum()) for name in SETS},
        curve_plot=plots.precision_recall_plot(curves),
        height_plot=plots.height_plot(heights),
        heights=heights,
        reliability_plot=plots.reliability_plot(diagram),
        reliability=diagram,
        calibrations=[Calibration(each, *calibrate(outcome, each)) for each in precisions],
        attributes=by_attribute,
        events=ap_by_event(outcome, threshold),
    )


def _galleries(outcome: Outcome, data: EvaluationData, threshold: float) -> list[Gallery]:
    missed = missed_faces(outcome, threshold)
    false = false_detections(outcome, "hard", threshold)
    return [
        Gallery("missed", len(missed), missed_thumbnails(outcome, missed, data.files)),
        Gallery("false", len(false), false_thumbnails(outcome, false, data.files)),
    ]
