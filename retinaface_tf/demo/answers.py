"""Answers the demo's requests by finding faces in the bytes of an image."""

import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

from retinaface_tf.data.decode_host import decode_bytes
from retinaface_tf.data.video.frame import DEFAULT_RATE
from retinaface_tf.detect.frames import Frame
from retinaface_tf.detect.results import CutOut, as_line
from retinaface_tf.detect.sources import Source
from retinaface_tf.errors import InputError
from retinaface_tf.printing import printable
from retinaface_tf.runtimes.interface import Detector

MAX_BYTES = 32 << 20  # of a file
MAX_PIXELS = 33_554_432  # of an image; larger ones take minutes on a CPU
_MAX_NAME = 200  # characters of a file name


class Question(NamedTuple):
    """Holds what a request states besides the image."""

    name: str  # of the file
    nms_iou: float | None  # None means the config's


def parse_question(query: str) -> Question:
    """Parses `name=photo.jpg&nms_iou=0.4`, of which either may be missing.

    Raises:
        InputError: a key is unknown or given twice, or the IoU is not from 0 to 1.
    """
    try:
        given = parse_qs(query, strict_parsing=bool(query), max_num_fields=2)
        names, ious = given.pop("name", ["image"]), given.pop("nms_iou", [None])
        [name], [iou] = names, ious
        nms_iou = None if iou is None else float(iou)
    except ValueError:
        raise InputError("expected name=FILE and nms_iou=NUMBER at most once") from None
    if given or (nms_iou is not None and not 0 <= nms_iou <= 1):
        raise InputError("expected name=FILE and nms_iou from 0 to 1")
    return Question(printable(name).replace("\n", " ")[:_MAX_NAME], nms_iou)


def answer(detector: Detector, data: bytes, question: Question) -> dict[str, object]:
    """Detects the faces in an image, with the detector's own score threshold.

    Args:
        detector: from `load_detector`.
        data: the content of an image file.
        question: the file's name and the IoU of NMS.

    Returns:
        `line`, which `retinaface detect` would write to `detections.jsonl`, and `milliseconds`.

    Raises:
        InputError: the data is not a whole image, or is too large.
    """
    start = time.perf_counter()
    pixels = decode_bytes(data, question.name, MAX_PIXELS)
    faces = detector.detect(pixels, score_threshold=0.0, nms_iou=question.nms_iou)
    source = Source(question.name, "image", Path(question.name))
    line = as_line(Frame(source, None, None, DEFAULT_RATE, pixels), faces, [CutOut()] * len(faces))
    return {"line": line, "milliseconds": round(1000 * (time.perf_counter() - start))}
