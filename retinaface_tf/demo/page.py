"""Makes the files of the demo's page, which the server keeps in memory by path."""

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from retinaface_tf import __version__
from retinaface_tf.demo.answers import MAX_BYTES
from retinaface_tf.detections import DEFAULT_SCORE
from retinaface_tf.html_page import fill
from retinaface_tf.runtimes.interface import Detector
from retinaface_tf.runtimes.locate import find_model
from retinaface_tf.samples import SAMPLES

_PACKAGE = "retinaface_tf.demo"


class Content(NamedTuple):
    """Holds the answer to a request for a path."""

    type: str  # MIME type
    data: bytes


def make_files(detector: Detector, weights: str) -> Mapping[str, Content]:
    """Makes the page, its style and script, and the sample photographs, by path.

    Args:
        detector: made from the weights; the page starts with its thresholds.
        weights: as named by `--weights`.
    """
    limits = detector.config.detector
    page = fill(
        _PACKAGE,
        "demo.html",
        weights=weights,
        quoted_weights=shlex.quote(weights),
        score=DEFAULT_SCORE,
        min_score=limits.score_threshold,
        nms_iou=limits.nms_iou,
        # The command on the page cannot change the thresholds of an exported model.
        is_exported=find_model(weights).is_exported,
        max_bytes=MAX_BYTES,
        samples=[sample.name for sample in SAMPLES],
        version=__version__,
    )
    style, script = fill(_PACKAGE, "demo.css"), fill(_PACKAGE, "demo.js")
    return {
        "/": Content("text/html; charset=utf-8", page.encode()),
        "/demo.css": Content("text/css; charset=utf-8", style.encode()),
        "/demo.js": Content("text/javascript; charset=utf-8", script.encode()),
        **{f"/{file.name}": Content("image/jpeg", file.read_bytes()) for file in SAMPLES},
    }
