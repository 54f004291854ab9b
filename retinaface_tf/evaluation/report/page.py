"""The report as one HTML page that needs nothing but itself (needs matplotlib)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from retinaface_tf.config import Config
from retinaface_tf.data.widerface import ATTRIBUTES
from retinaface_tf.evaluation.average_precision import SETS, precision_recall_of
from retinaface_tf.evaluation.outcome import (
    Outcome,
    best_threshold,
    examine,
    false_detections,
    missed_faces,
    reliability,
)
from retinaface_tf.evaluation.report import TEMPLATES, gallery, plots
from retinaface_tf.evaluation.report.published import PUBLISHED
from retinaface_tf.evaluation.result import Evaluated
from retinaface_tf.evaluation.subsets import ap_by_attribute, ap_by_event, ap_by_height
from retinaface_tf.evaluation.wider import load_attributes
from retinaface_tf.geometry.heights import HEIGHT_NAMES
from retinaface_tf.pages import write_page

PAGE_FILE = "report.html"
_WIDER_FACE = "0--Parade"  # an event that only WIDER FACE has


class Gallery(NamedTuple):
    """Pictures that the page shows of those that there are, and what they are filtered by."""

    name: str
    total: int
    pictures: list[gallery.Picture]
    events: list[str]
    reasons: list[str]
    heights: list[str]


def write_report(
    folder: Path, config: Config, evaluated: Evaluated, report: Mapping[str, Any]
) -> Path:
    """Writes `report.html` into a folder, which is made if it is not there.

    Args:
        folder: of the page.
        config: where images, labels and ground truth are; at which IoU detections match.
        evaluated: what was evaluated.
        report: of `result.write_report`.

    Raises:
        InputError: attributes of other faces than those of the ground truth.
    """
    outcome = examine(evaluated.predictions, evaluated.truth, config.eval.iou)
    return write_page(
        folder / PAGE_FILE,
        TEMPLATES,
        "report.html",
        **_facts(config, evaluated, report),
        **_figures(outcome, config, evaluated),
        **_galleries(outcome, config),
    )


def _facts(config: Config, evaluated: Evaluated, report: Mapping[str, Any]) -> dict[str, Any]:
    """How the figures came about."""
    maker = report["made_by"] or report
    known = maker["protocol"] is not None  # how the detections were made
    used = maker["config"]
    return {
        "report": report,
        "maker": maker,
        "known": known,
        "used": used,
        "config_text": json.dumps(used if known else config.as_dict(), indent=2),
        "published": [
            each
            for each in PUBLISHED
            if (each.backbone, each.protocol) == (used["model"]["backbone"], maker["protocol"])
            and any(image.startswith(_WIDER_FACE) for image in evaluated.truth)
        ],
        "sets": SETS,
    }


def _figures(outcome: Outcome, config: Config, evaluated: Evaluated) -> dict[str, Any]:
    """Plots, and tables of AP by part."""
    threshold = best_threshold(outcome, "hard")
    labels = config.below_root(config.data.val_labels)
    attributes = load_attributes(config.ground_truth_folder, labels, evaluated.truth)
    told, heights = reliability(outcome, "hard"), ap_by_height(outcome, threshold)
    curves = {
        name.capitalize(): precision_recall_of(outcome.matches, outcome.counted[name])
        for name in SETS
    }
    return {
        "threshold": threshold,
        "faces": {name: int(outcome.counted[name].sum()) for name in SETS},
        "curve_plot": plots.precision_recall_plot(curves),
        "height_plot": plots.height_plot(heights),
        "heights": heights,
        "reliability_plot": plots.reliability_plot(told),
        "reliability": told,
        "attribute_names": tuple(ATTRIBUTES),
        "attributes": None
        if attributes is None
        else ap_by_attribute(outcome, attributes, threshold),
        "events": ap_by_event(outcome, threshold),
    }


def _galleries(outcome: Outcome, config: Config) -> dict[str, Any]:
    folder = config.below_root(config.data.val_labels).parent / "images"
    files = {f"{path.parent.name}/{path.stem}": path for path in folder.glob("*/*")}
    threshold = best_threshold(outcome, "hard")
    missed = missed_faces(outcome, threshold)
    false = false_detections(outcome, "hard", threshold)
    return {
        "images_folder": folder,
        "images_found": sum(name in files for name in outcome.images),
        "galleries": [
            _gallery("missed", len(missed), gallery.missed_pictures(outcome, missed, files)),
            _gallery("false", len(false), gallery.false_pictures(outcome, false, files)),
        ],
    }


def _gallery(name: str, total: int, pictures: list[gallery.Picture]) -> Gallery:
    heights = {picture.height_class for picture in pictures}
    return Gallery(
        name=name,
        total=total,
        pictures=pictures,
        events=sorted({picture.event for picture in pictures}),
        reasons=sorted({picture.why for picture in pictures}),
        heights=[each for each in HEIGHT_NAMES if each in heights],
    )
