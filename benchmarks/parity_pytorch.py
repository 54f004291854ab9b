r"""Compares detections with those of biubug6's PyTorch code: same weights, same images.

    python benchmarks/parity_pytorch.py --biubug6 CHECKOUT --weights retinaface_mobilenet025.pth \
        --cfg configs/mobilenet025.yaml --protocol original --images 40

Needs the extra `peers`. Each side reads and resizes images by itself; the checkout's own network,
anchors, decoding and NMS are called. Prints the AP of both on these images and, for protocol
original, how far apart the answers are, before and after NMS. Of the boxes that only one side has,
those within SCORE of the score threshold or of the IoU of NMS, where rounding may decide, are
counted separately; any others make the exit code 2. The other protocols resize, which the two sides
do differently.
"""

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import peers
from absl import flags
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from retinaface_tf import cli
from retinaface_tf.config import Config
from retinaface_tf.config_flags import read_config
from retinaface_tf.errors import DOES_NOT_HOLD
from retinaface_tf.evaluation.voting import overlap

PIXELS, SCORE = 0.05, 1e-4  # largest differences between the two sides

_BIUBUG6 = flags.DEFINE_string("biubug6", None, "A checkout of biubug6/Pytorch_Retinaface.")
_WEIGHTS = flags.DEFINE_string("weights", None, "Weights for both, a PyTorch state dict.")
_PROTOCOL = flags.DEFINE_enum("protocol", "original", ["original", "resized", "vga"], "Sizes.")
_IMAGES = flags.DEFINE_integer("images", 40, "Images of val, evenly spread; 0: all.")
flags.mark_flags_as_required(["biubug6", "weights"])


class Answer(NamedTuple):
    """Holds boxes [N, 4] in pixels and scores [N]."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


class Apart(NamedTuple):
    """Holds how two answers differ."""

    common: int
    pixels: float  # the largest distance of common boxes
    score: float
    edge: int  # boxes of only one side, by a hair
    other: int  # other boxes of only one side


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config(eval__protocol=_PROTOCOL.value, weights=_WEIGHTS.value)
    config = config.exhaustive()
    peer = open_peer(config)
    cli.start_tensorflow()
    from retinaface_tf.data.dataset import validation_set
    from retinaface_tf.evaluation.average_precision import evaluate_predictions
    from retinaface_tf.evaluation.result import format_ap
    from retinaface_tf.evaluation.wider import load_ground_truth

    files = validation_set(config).files()
    every = max(1, len(files) // _IMAGES.value) if _IMAGES.value else 1
    files = dict(list(files.items())[::every][: _IMAGES.value or None])
    ours, our_predictions = run_ours(files, config)
    theirs = [peer(path) for path in progress(files.values())]
    their_predictions = dict(zip(files, (rows(after) for _, after in theirs), strict=True))
    others = 0
    stages = ("before NMS", "after NMS") if _PROTOCOL.value == "original" else ()
    for stage, when in enumerate(stages):
        images = [
            compare(a[stage], b[stage], a[0], config) for a, b in zip(ours, theirs, strict=True)
        ]
        others += report(when, images)
    truth = load_ground_truth(config.ground_truth_folder)
    truth = {name: truth[name] for name in files}
    for side, predictions in (("ours", our_predictions), ("theirs", their_predictions)):
        print(f"{side}\n{format_ap(evaluate_predictions(predictions, truth, config.eval.iou))}")
    return DOES_NOT_HOLD if others else 0


def run_ours(files: dict[str, Path], config: Config) -> tuple[list[tuple[Answer, Answer]], Any]:
    """Returns the answers before and after NMS, and predictions as in eval.py."""
    from retinaface_tf.evaluation.predict import predict
    from retinaface_tf.model.detector import GraphDetector
    from retinaface_tf.runtimes.run_folder import load_network

    detector = GraphDetector(load_network(config)[1], config)
    answers = []

    def detect(images: Any, scale: Any) -> Any:
        before = detector.candidates(images, scale)
        after = detector.suppress(before)
        answers.append(tuple(answer(part) for part in (before, after)))
        return after

    return answers, predict(detect, files, config)


def answer(detections: Any) -> Answer:
    count = int(detections.num_detections[0])
    boxes, scores = (np.asarray(part[0, :count], np.float64) for part in detections[:2])
    return Answer(boxes, scores)


def open_peer(config: Config) -> Callable[[Path], tuple[Answer, Answer]]:
    """Returns the peer's detection of a file."""
    peer = peers.biubug6_detector(_BIUBUG6.value, config, _WEIGHTS.value)

    def detect(path: Path) -> tuple[Answer, Answer]:
        pixels, scale = resized(np.float32(cv2.imread(str(path))), config)
        found, _, kept = peer(pixels, scale)
        return as_answer(found), as_answer(found[kept])

    return detect


def as_answer(found: NDArray[np.float32]) -> Answer:
    return Answer(found[:, :4].astype(np.float64), found[:, 4].astype(np.float64))


def resized(pixels: NDArray[np.float32], config: Config) -> tuple[NDArray[np.float32], float]:
    """Returns the image as resized by OpenCV for the protocol, and the factor."""
    from retinaface_tf.evaluation.protocols import network_scale

    scale = float(network_scale(*pixels.shape[:2], config.eval))
    if scale != 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return pixels, scale


def rows(found: Answer) -> NDArray[np.float64]:
    """Returns `x y w h score` [N, 5] in whole pixels, as both sides write them."""
    corners = np.trunc(found.boxes)
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2], found.scores[:, None]])


def compare(ours: Answer, theirs: Answer, candidates: Answer, config: Config) -> Apart:
    """Pairs the boxes of two answers; `candidates` are the boxes before NMS."""
    # The tolerances of score and pixels count equally, so that one distance covers both.
    points = [np.hstack([a.boxes, a.scores[:, None] * PIXELS / SCORE]) for a in (ours, theirs)]
    near = functools.partial(cKDTree.query, p=np.inf, distance_upper_bound=PIXELS)
    (_, partner), (_, back) = (near(cKDTree(points[1 - i]), points[i]) for i in (0, 1))
    # Each other's nearest; without any, the index is one past the last.
    paired = np.append(back, -1)[partner] == np.arange(len(partner))
    lonely = [~paired, ~np.isin(np.arange(len(back)), partner[paired])]
    alone = [
        Answer(side.boxes[mask], side.scores[mask])
        for side, mask in zip((ours, theirs), lonely, strict=True)
    ]
    edges = sum(int(on_edge(a, candidates, config).sum()) for a in alone)
    pixels = np.abs(ours.boxes[paired] - theirs.boxes[partner[paired]])
    scores = np.abs(ours.scores[paired] - theirs.scores[partner[paired]])
    return Apart(
        common=int(paired.sum()),
        pixels=float(pixels.max(initial=0)),
        score=float(scores.max(initial=0)),
        edge=edges,
        other=sum(len(a.scores) for a in alone) - edges,
    )


def on_edge(alone: Answer, candidates: Answer, config: Config) -> NDArray[np.bool_]:
    """Tells whether rounding may decide: a score or an IoU is within SCORE of a threshold."""
    by_score = np.abs(alone.scores - config.detector.score_threshold) < SCORE
    # Both sides include a box's first and last pixel.
    boxes, others = alone.boxes + [0, 0, 1, 1], candidates.boxes + [0, 0, 1, 1]
    by_iou = [
        bool((np.abs(overlap(box, others) - config.detector.nms_iou) < SCORE).any())
        for box in boxes
    ]
    return by_score | np.array(by_iou, np.bool_)


def report(when: str, images: list[Apart]) -> int:
    """Prints the totals; returns how many boxes differ by more than rounding."""
    common, edge, other = (sum(getattr(i, n) for i in images) for n in ("common", "edge", "other"))
    pixels, score = (max(getattr(i, n) for i in images) for n in ("pixels", "score"))
    print(
        f"{when:<10}: {common} common boxes of {len(images)} images, at most {pixels:.4f} px and "
        f"{score:.2e} in score apart; of one side only {edge} at an edge, {other} others"
    )
    return other


def progress(paths: Iterable[Path]) -> Iterable[Path]:
    from tqdm import tqdm

    return tqdm(paths, desc="the peer", unit="image", disable=not sys.stderr.isatty())


if __name__ == "__main__":
    cli.run(main)
