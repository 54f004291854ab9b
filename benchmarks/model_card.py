"""Shows what weights find and miss: one face, rotated, darkened, covered and shrunk.

    python benchmarks/model_card.py --out docs/models/mobilenet025.jpg

The face is from the photograph of Eileen Collins, which is in the public domain. Prints the number
and scores of the faces found in each variant, and writes one picture of all variants with their
faces.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from retinaface_tf import Detections, cli, load_detector
from retinaface_tf.data.decode_host import read_image
from retinaface_tf.drawing import Picture, write_picture
from retinaface_tf.model.weights.zoo import DEFAULT_WEIGHTS
from retinaface_tf.samples import EILEEN_COLLINS, FACES

SIDE = 320  # of a picture in the sheet
COLUMNS = 5

_WEIGHTS = flags.DEFINE_string("weights", DEFAULT_WEIGHTS, "Weights, by file or name.")
_OUT = flags.DEFINE_string("out", "docs/models/mobilenet025.jpg", "The picture to write.")


def variants(image: Picture) -> Iterator[tuple[str, Picture]]:
    """Yields variants of the picture of a face, each with a description."""
    x1, y1, x2, y2 = FACES[EILEEN_COLLINS]
    centre, face = ((x1 + x2) // 2, (y1 + y2) // 2), y2 - y1
    crop = image[: 2 * centre[1], centre[0] - centre[1] : centre[0] + centre[1]]
    half = crop.shape[0] / 2
    for degrees in (0, 45, 90, 180):
        turn = cv2.getRotationMatrix2D((half, half), degrees, 1)
        yield f"turned by {degrees} degrees", cv2.warpAffine(crop, turn, crop.shape[1::-1])
    for part in (8, 32):
        yield f"1/{part} of the light", crop // part
    for name, below in (("mouth and nose", 0.05), ("half of the face", -0.5)):
        covered = crop.copy()
        if below > 0:
            covered[round(half + below * face) : round(half + 0.6 * face)] = 128
        else:
            covered[:, round(half) :] = 128
        yield f"{name} covered", covered
    for height in (16, 10):
        small = cv2.resize(crop, None, fx=height / face, fy=height / face)
        canvas = np.full_like(crop, 128)
        canvas[: small.shape[0], : small.shape[1]] = small
        yield f"{height} pixels tall", canvas


def main(arguments: list[str]) -> int:
    cli.expect_no(arguments)
    cli.start_tensorflow()
    detector = load_detector(str(_WEIGHTS.value))
    tiles = []
    for name, image in variants(read_image(EILEEN_COLLINS)):
        faces = detector.detect(image)
        print(f"{name:28} {faces}")
        tiles.append(tile(name, image, faces))
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    write_picture(Path(str(_OUT.value)), np.vstack(rows))
    return 0


def tile(name: str, image: Picture, faces: Detections) -> Picture:
    """Draws faces onto a picture of the sheet, with its name below."""
    shown = cv2.resize(faces.draw(image), (SIDE, SIDE))
    caption = np.full((28, SIDE, 3), 255, np.uint8)
    cv2.putText(caption, name, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([shown, caption])


if __name__ == "__main__":
    cli.run(main)
