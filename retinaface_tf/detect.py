"""Detects faces: python -m retinaface_tf.detect PATH... [--out DIR].

A PATH is an image or a folder, which is searched with all below it. Writes a picture of each image
with its faces, and `detections.json`: a list with, per image, `file`, `width`, `height` and
`faces`, of which each has `box` [x1, y1, x2, y2] and `landmarks` [[x, y] x 5] in pixels of the
upright image, and `score`.
"""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from numpy.typing import NDArray
from tqdm import tqdm

from retinaface_tf import cli
from retinaface_tf.errors import InputError
from retinaface_tf.picture import write_picture
from retinaface_tf.structures import Detections

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
RESULT_FILE = "detections.json"

_WEIGHTS = flags.DEFINE_string("weights", None, "A weights file, instead of a checkpoint.")
_SAVED_MODEL = flags.DEFINE_string("saved_model", None, "An exported model, instead of a network.")
_OUT = flags.DEFINE_string("out", "detections", "Folder of the pictures and the JSON.")
_SCORE = flags.DEFINE_float("score", 0.5, "Faces below this score are left out.", 0.0, 1.0)
flags.mark_flags_as_mutual_exclusive(["weights", "saved_model"], required=False)


def main(arguments: list[str]) -> int:
    if not arguments:
        raise InputError("expected images or folders: python -m retinaface_tf.detect PATH...")
    config = cli.read_config(eval__weights=_WEIGHTS.value)
    out = Path(_OUT.value)
    files = find_images([Path(argument) for argument in arguments], out)
    cli.start_tensorflow()
    from retinaface_tf.detectors import open_detector

    _, detect = open_detector(config, _SAVED_MODEL.value)
    results, unreadable = [], []
    for file, picture in tqdm(files.items(), unit="image", disable=not sys.stderr.isatty()):
        image = _read(file)
        if image is None:
            unreadable.append(str(file))
            continue
        faces = _faces(detect(image[None]), _SCORE.value)
        results.append(
            {"file": str(file), "width": image.shape[1], "height": image.shape[0], "faces": faces}
        )
        boxes, landmarks = ([face[part] for face in faces] for part in ("box", "landmarks"))
        write_picture(out / picture, image, boxes, landmarks)
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULT_FILE).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    found = sum(len(result["faces"]) for result in results)
    logging.info("%d faces in %d images, written to %s", found, len(results), out)
    if unreadable:
        raise InputError(f"{len(unreadable)} of {len(files)} not images: {', '.join(unreadable)}")
    return 0


def find_images(paths: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Images of files and folders, each with the relative path of its picture.

    What an earlier run has left in `out` is no image to search.

    Raises:
        InputError: a path does not exist, there is no image in any, or two would get one picture.
    """
    found: dict[Path, Path] = {}
    sources: dict[Path, Path] = {}
    for file, picture in (pair for path in paths for pair in _images_of(path)):
        if out.resolve() in file.resolve().parents:
            continue
        if sources.setdefault(picture, file) != file:
            raise InputError(f"{sources[picture]} and {file}: both would be drawn to {picture}")
        found[file] = picture
    if not found:
        raise InputError(
            f"{', '.join(map(str, paths))}: no image there; expected {', '.join(SUFFIXES)}"
        )
    return found


def _images_of(path: Path) -> Iterator[tuple[Path, Path]]:
    if path.is_file():
        yield path, Path(_picture_name(path))
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in SUFFIXES:
                yield file, file.relative_to(path).with_name(_picture_name(file))
    else:
        raise InputError(f"{path}: no such image or folder")


def _picture_name(file: Path) -> str:
    """Pictures are JPEG; another suffix stays in the name, as a.png and a.jpg may lie together."""
    return file.name if file.suffix.lower() in (".jpg", ".jpeg") else f"{file.name}.jpg"


def _read(file: Path) -> NDArray[np.uint8] | None:
    """RGB pixels [H, W, 3], upright; None where the file is no image."""
    import tensorflow as tf

    from retinaface_tf.data.decode import decode_image

    try:
        return decode_image(tf.io.read_file(str(file))).numpy()
    except tf.errors.OpError:
        return None


def _faces(detections: Detections, score: float) -> list[dict[str, Any]]:
    """The detections of one image at or above a score, as JSON has them."""
    boxes, scores, landmarks = (np.asarray(part[0], np.float64) for part in detections[:3])
    count = int(np.count_nonzero(scores[: int(detections.num_detections[0])] >= score))
    return [
        {
            "box": boxes[i].round(2).tolist(),
            "score": round(float(scores[i]), 5),
            "landmarks": landmarks[i].round(2).tolist(),
        }
        for i in range(count)
    ]


if __name__ == "__main__":
    cli.run(main)
