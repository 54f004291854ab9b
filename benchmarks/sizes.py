r"""Measures AP and time on photos enlarged to the size of a phone's, with one pass and with all.

    python benchmarks/sizes.py --cfg configs/mobilenet025.yaml --set data.root=... \
        --weights retinaface_mobilenet025.pth

Images of the validation set are enlarged by SCALES (bicubic) and processed in one pass at their own
size, which is protocol `original`, and in all passes, protocol `all_sizes`. The script prints the
AP of both, the share of faces above 300 pixels (before enlarging) that are found, and the number of
boxes that show a part of such a face. Then both are timed in turns, at one megapixel and at the
largest scale. The claims are those of docs/faces-of-every-size.md.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
import turns
from absl import flags

from retinaface_tf import cli
from retinaface_tf.config_flags import read_config
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.detections import Detections
from retinaface_tf.evaluation.average_precision import GroundTruth, evaluate_predictions

SCALES = (1, 2, 4)
TALL = 300  # pixels of a face before enlarging
SURE = 0.5  # score of a box
OVERLAP = 0.5  # lowest IoU of a face that is found
INSIDE = 0.7  # lowest part of a box that lies in a face
ONE_PASS, ALL_PASSES = "original", "all_sizes"
# Claims: the most AP that may be lost compared with unenlarged images, and with one pass.
LOST_BY_SCALE, LOST_BY_PASSES = 0.01, 0.003
SLOWER_AT_A_MEGAPIXEL, SLOWER_ENLARGED = 1.4, 1.5  # at most

_WEIGHTS = flags.DEFINE_string("weights", None, "Weights of the network.")
_STRIDE = flags.DEFINE_integer("stride", 1, "Takes every nth image.", lower_bound=1)
_TIMED = flags.DEFINE_integer("timed", 8, "Images to time.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each.", lower_bound=1)
flags.mark_flags_as_required(["weights"])


class Tall(NamedTuple):
    """Counts faces above TALL pixels, and boxes."""

    faces: int
    found: int
    fragments: int  # boxes in such a face that are not the one that found it


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    config = read_config(weights=_WEIGHTS.value).exhaustive()
    cli.start_tensorflow()
    from retinaface_tf.evaluation.data import load_evaluation_data
    from retinaface_tf.runtimes.opening import open_configured

    data = load_evaluation_data(config)
    names = [name for name in data.files if name in data.truth][:: _STRIDE.value]
    images = {name: data.files[name] for name in names}
    truth = {name: data.truth[name] for name in names}
    detector = open_configured(config)
    ap = {scale: _measure(detector, images, truth, scale) for scale in SCALES}
    _claim_ap(ap)
    timed = [*images.values()][:: max(1, len(images) // _TIMED.value)][: _TIMED.value]
    _time(detector, [_at_a_megapixel(path) for path in timed], "1 MP", SLOWER_AT_A_MEGAPIXEL)
    largest = SCALES[-1]
    _time(detector, [_read(path, largest) for path in timed], f"{largest}x", SLOWER_ENLARGED)
    return 0


def _read(path: Any, scale: float) -> Any:
    return _enlarge(read_image(path), scale)


def _at_a_megapixel(path: Any) -> Any:
    pixels = read_image(path)
    return _enlarge(pixels, (1_000_000 / (pixels.shape[0] * pixels.shape[1])) ** 0.5)


def _enlarge(pixels: Any, scale: float) -> Any:
    if scale == 1:
        return pixels
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _measure(
    detector: Any, images: Mapping[str, Any], truth: Mapping[str, GroundTruth], scale: int
) -> dict[str, dict[str, float]]:
    """Measures AP by protocol and set, and prints it."""
    from retinaface_tf.evaluation.predict import rows

    found: dict[str, dict[str, Detections]] = {ONE_PASS: {}, ALL_PASSES: {}}
    for name, path in images.items():
        found[ONE_PASS][name], found[ALL_PASSES][name] = _detect(detector, _read(path, scale))
    enlarged = {n: GroundTruth(faces.faces * scale, faces.in_set) for n, faces in truth.items()}
    ap = {}
    for protocol, faces in found.items():
        predictions = {name: rows(each.as_batch()) for name, each in faces.items()}
        ap[protocol] = evaluate_predictions(predictions, enlarged, OVERLAP)
        tall = _count_tall(faces, enlarged, scale * TALL)
        figures = " / ".join(f"{value:.4f}" for value in ap[protocol].values())
        print(
            f"{scale}x, {protocol:<9}: AP {figures}; of {tall.faces} faces above {TALL} px "
            f"{tall.found} found, {tall.fragments} fragments",
            flush=True,
        )
    return ap


def _detect(detector: Any, pixels: Any) -> tuple[Detections, Detections]:
    """Detects faces in the pass at the image's own size, and in all passes."""
    from retinaface_tf.runtimes.all_sizes import detect_all_sizes

    passes = []

    def one_pass(images: Any) -> list[Detections]:
        passes.append(Detections.of_batch(detector(images)))
        return passes[-1]

    config, plan = detector.config, detector.plan_passes(*pixels.shape[:2])
    [merged] = detect_all_sizes(one_pass, pixels[None], plan, config, config.detector)
    return passes[0][0], merged


def _count_tall(
    found: Mapping[str, Detections], truth: Mapping[str, GroundTruth], height: int
) -> Tall:
    counts = [0, 0, 0]
    for name, faces in truth.items():
        sure = found[name].above(SURE).boxes
        for x, y, w, h in faces.faces[faces.faces[:, 3] > height]:
            inner = np.clip(
                np.minimum(sure[:, 2:], [x + w, y + h]) - np.maximum(sure[:, :2], [x, y]), 0, None
            )
            shared, area = inner.prod(axis=1), (sure[:, 2:] - sure[:, :2]).prod(axis=1)
            matched = shared / (area + w * h - shared) >= OVERLAP
            counts[0] += 1
            counts[1] += int(matched.any())
            counts[2] += int(np.sum((shared / area >= INSIDE) & ~matched))
    return Tall(*counts)


def _claim_ap(ap: Mapping[int, Mapping[str, Mapping[str, float]]]) -> None:
    base = ap[SCALES[0]]
    for name, value in base[ALL_PASSES].items():
        _claim(f"{name}: all passes beside one, 1x", base[ONE_PASS][name] - value, LOST_BY_PASSES)
        for scale in SCALES[1:]:
            _claim(
                f"{name}: {scale}x beside 1x", value - ap[scale][ALL_PASSES][name], LOST_BY_SCALE
            )


def _claim(what: str, found: float, at_most: float) -> None:
    holds = "holds" if found <= at_most else "does not hold"
    print(f"{what}: {found:.4f} (at most {at_most}: {holds})")


def _time(detector: Any, images: list[Any], size: str, at_most: float) -> None:
    """Times one pass and all passes in turns, over the same images."""
    taken = [(image[None],) for image in images]
    found = turns.take_turns(
        {
            ONE_PASS: turns.over(taken, lambda x: detector(x).boxes.numpy()),
            ALL_PASSES: turns.over(taken, detector.detect_together),
        },
        rounds=_ROUNDS.value,
        pieces=len(taken),
        warm_up=len(taken),
    )
    turns.report(found, images=1)
    ratio = turns.median(found[ALL_PASSES]).wall / turns.median(found[ONE_PASS]).wall
    _claim(f"time of all passes beside one at {size}", ratio, at_most)


if __name__ == "__main__":
    cli.run(main)
