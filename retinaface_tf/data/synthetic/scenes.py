"""Draws a data set of cartoon faces in WIDER FACE's layout, for trying everything without it.

    ROOT/train/images/<event>/<name>.jpg    ROOT/train/label.txt  (20 columns)
    ROOT/val/images/<event>/<name>.jpg      ROOT/val/label.txt    (x y w h)
    ROOT/ground_truth/wider_{face,easy,medium,hard}_val.mat

The sets of the ground truth mimic WIDER FACE's, which are based on how well detectors did: easy is
a height of at least 50 px with less than a fifth hidden, medium is easy plus all faces from 30 px,
hard is all faces from 10 px.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinaface_tf.data.layout import (
    MIN_HEIGHTS,
    Truth,
    box_columns,
    landmark_columns,
    new_folder,
    write_ground_truth,
)
from retinaface_tf.data.synthetic.canvas import Canvas, DrawnFace
from retinaface_tf.data.synthetic.faces import paint_body, paint_head
from retinaface_tf.data.synthetic.heads import Head, random_head
from retinaface_tf.data.synthetic.shapes import Image, Rng, any_colour, darker, ellipse

_TRAIN, _VAL = 0, 1  # separate the random numbers of the two splits
_HIDDEN = {"easy": 0.2}  # share of a face that must be less
_CROWD_EVERY = 15
_SHARE_WITHOUT_FACES = 0.03


@dataclass(frozen=True)
class DrawnImage:
    """Describes an image on disk and its labels."""

    event: str
    name: str  # without .jpg
    faces: list[DrawnFace]


def draw_dataset(root: Path, num_train: int, num_val: int, seed: int = 1) -> None:
    """Draws a data set, with the same bytes for the same arguments.

    An image depends only on (seed, split, its index), so that asking for more images leaves the
    first ones unchanged. All is written beside `root` and renamed at the end, so that `root` is
    whole or absent.

    Args:
        root: folder to create; missing parents are created, too.
        num_train: number of images to train on, of which about 3 % have no face.
        num_val: number of images to validate on.
        seed: not negative.

    Raises:
        InputError: `root` exists or cannot be written.
    """
    with new_folder(root) as folder:
        _write_split(folder / "train", _TRAIN, num_train, seed)
        val = _write_split(folder / "val", _VAL, num_val, seed)
        write_ground_truth(folder / "ground_truth", [_truth(image) for image in val])


def _write_split(folder: Path, split: int, count: int, seed: int) -> list[DrawnImage]:
    """Writes the images and label.txt; returns the images, ordered by event."""
    for event in _EVENTS:
        (folder / "images" / event).mkdir(parents=True)
    images = [_write_image(folder / "images", split, index, seed) for index in range(count)]
    images.sort(key=lambda image: image.event)
    with (folder / "label.txt").open("w", encoding="utf-8", newline="\n") as file:
        for image in images:
            file.write(f"# {image.event}/{image.name}.jpg\n")
            for face in image.faces:
                file.write(_row(face, split) + "\n")
    return images


def _write_image(folder: Path, split: int, index: int, seed: int) -> DrawnImage:
    for attempt in itertools.count():
        rng = np.random.default_rng(np.random.SeedSequence((seed, split, index, attempt)))
        event = rng.choice(_EVENTS).item()
        size, heights = _random_scene(rng, crowd=index % _CROWD_EVERY == _CROWD_EVERY // 2)
        if split == _TRAIN and rng.random() < _SHARE_WITHOUT_FACES:
            heights = []
        image, faces = draw_image(rng, _background(rng, event, *size), heights)
        if faces or not heights:  # else all are hidden, and the image has faces but no labels
            break
    name = f"{event.replace('--', '_')}_{index:05d}"
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(85, 96))]
    jpeg = cv2.imencode(".jpg", image[..., ::-1], quality)[1].tobytes()
    (folder / event / f"{name}.jpg").write_bytes(jpeg)
    return DrawnImage(event, name, faces)


def _row(face: DrawnFace, split: int) -> str:
    box = box_columns(face.box)
    if split == _VAL:
        return box
    quality = min(face.box[3] / 100, 1) * (1 - face.hidden)
    return f"{box} {landmark_columns(face.landmarks, face.occluded, quality)}"


def _truth(image: DrawnImage) -> Truth:
    """Selects the faces that count, by height and by how much is hidden."""
    boxes = np.array([face.box for face in image.faces], np.int32).reshape(-1, 4)
    hidden = np.array([face.hidden for face in image.faces])
    counted = {
        name: (boxes[:, 3] >= height) & (hidden < _HIDDEN.get(name, 1.0))
        for name, height in MIN_HEIGHTS.items()
    }
    return Truth(image.event, image.name, boxes, counted)


def _random_scene(rng: Rng, crowd: bool) -> tuple[tuple[int, int], list[float]]:
    """Picks the width and height of an image, and the heights of its faces, in pixels."""
    long = int(rng.integers(320, 513))
    short = int(long * rng.uniform(0.62, 1))
    kind = 0 if crowd else rng.choice([1, 2, 2, 3])
    heights = (
        rng.uniform(11, 23) * rng.uniform(0.75, 1.4, rng.integers(20, 61)),
        short * rng.uniform(0.25, 0.6, rng.integers(1, 3)),  # a portrait
        rng.uniform(26, 80) * rng.uniform(0.8, 1.25, rng.integers(3, 9)),  # a group
        np.exp(rng.uniform(2.6, 4.8, rng.integers(2, 8))),  # near and far
    )[kind]
    return ((long, short) if rng.random() < 0.6 else (short, long)), heights.tolist()


def draw_image(rng: Rng, background: Image, heights: list[float]) -> tuple[Image, list[DrawnFace]]:
    """Draws faces of these heights in pixels, as far as there is room, among other things.

    Returns:
        The image, and its visible faces, the smallest (farthest) first.
    """
    canvas = Canvas(background)
    for _ in range(rng.integers(1, 8)):
        _paint_clutter(canvas, rng)
    for _ in range(rng.integers(0, 5)):
        _paint_distractor(canvas, rng)
    heads = _place(rng, heights, canvas.size)
    for head in heads:  # all bodies before all heads, so that no body hides a face
        paint_body(canvas, rng, head)
    for owner, head in enumerate(heads, start=1):
        paint_head(canvas, rng, head, owner)
    image, faces = canvas.finish(heads)
    return _photograph(rng, image), faces


def _place(rng: Rng, heights: list[float], size: tuple[int, int]) -> list[Head]:
    """Finds room for heads, the largest first; few overlap, and the border cuts few."""
    heads: list[Head] = []
    for height in sorted(heights, reverse=True):
        margin = height * (0.1 if rng.random() < 0.15 else 0.52)
        apart = 0.28 if rng.random() < 0.1 else 0.48
        for _ in range(20):
            centre = rng.uniform(margin, np.array(size) - margin)
            if all(np.hypot(*(centre - h.centre)) > apart * (height + h.height) for h in heads):
                heads.append(random_head(rng, centre, height))
                break
    return heads[::-1]


def _paint_clutter(canvas: Canvas, rng: Rng) -> None:
    """Paints a blob, a board, or furniture (a board with a frame), now and then a cable."""
    where, colour, kind = rng.uniform(0, canvas.size), any_colour(rng), rng.integers(4)
    extent = np.exp(rng.uniform(1.6, 4.6, 2))
    board = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * extent
    canvas.fill(where + (board if kind else ellipse(0, 0, *extent)), colour)
    if kind > 1:
        canvas.fill(where + board * (0.85, 0.8), darker(colour, 0.7))
    elif rng.random() < 0.4:
        canvas.line(rng.uniform(0, canvas.size, (3, 2)), colour, rng.uniform(0.5, 4))


def _paint_distractor(canvas: Canvas, rng: Rng) -> None:
    """Paints something round that is not a face: a ball, the back of a head, a spotted fruit."""
    head = random_head(rng, rng.uniform(0, canvas.size), np.exp(rng.uniform(2.5, 4.7)))
    colour = head.skin if rng.random() < 0.75 else any_colour(rng)
    canvas.fill(head.flat(head.outline), colour)
    if rng.random() < 0.25:
        canvas.fill(head.flat(ellipse(0, -0.08, 0.43, 0.5)), head.hair)
    for _ in range(rng.integers(0, 3)):  # three could be eyes and a mouth
        spot = ellipse(*rng.uniform(-0.25, 0.25, 2), *rng.uniform(0.02, 0.13, 2))
        canvas.fill(head.flat(spot), darker(colour, rng.uniform(0.2, 0.9)))


def _photograph(rng: Rng, image: Image) -> Image:
    """Adds what a camera adds: blur, light from one side, perhaps a colour cast, noise."""
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.06:
        image = image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    corners = rng.uniform(0.6, 1.1) * rng.uniform(0.75, 1.25, (2, 2, 1)) * rng.uniform(0.9, 1.1, 3)
    light = cv2.resize(corners.astype(np.float32), image.shape[1::-1])
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 9))
    return (image * light + noise + np.float32(rng.uniform(-15, 25))).clip(0, 255).astype(np.uint8)


def _background(rng: Rng, event: str, width: int, height: int) -> Image:
    """Paints the texture of the event, mostly above another texture, like a wall or the sky."""
    layers = []
    for name in (event, rng.choice(_EVENTS).item()):
        mix = _TEXTURES[name](rng, width, height).clip(0, 1)[..., None]
        layers.append((mix * any_colour(rng) + (1 - mix) * any_colour(rng)).astype(np.uint8))
    hills = rng.uniform(0.3, 1.4) + rng.choice([0, 0.04]) * rng.normal(0, 1, 12).cumsum()
    horizon = height * np.interp(np.linspace(0, 11, width), np.arange(12), hills)
    return np.where((np.arange(height)[:, None] > horizon)[..., None], layers[1], layers[0])


# Textures are shares [H, W] of the first of two colours; beyond 0..1, only one colour is left.
def _noise(cells: Sequence[int], interpolation: int, rng: Rng, w: int, h: int) -> NDArray[Any]:
    """Returns noise of several scales, `cells` across: foliage, plaster, tiles, a gradient."""
    mix = np.full((h, w), 0.5, np.float32)
    for count in cells:
        grid = rng.uniform(-0.6, 0.6, (count, count)) * np.sqrt(cells[0] / count)
        mix += cv2.resize(grid.astype(np.float32), (w, h), interpolation=interpolation)
    return mix


def _stripes(rng: Rng, width: int, height: int) -> NDArray[Any]:
    across, down = rng.normal(0, 0.2, 2)
    waves = np.sin(np.arange(width) * across + np.arange(height)[:, None] * down)
    return 0.5 + 0.5 * np.tanh(waves * rng.uniform(0.5, 6))


_TEXTURES: dict[str, Callable[[Rng, int, int], NDArray[Any]]] = {
    "0--Gradient": partial(_noise, (2,), cv2.INTER_LINEAR),
    "1--Clouds": partial(_noise, (3, 8, 20, 60), cv2.INTER_CUBIC),
    "2--Tiles": partial(_noise, (9,), cv2.INTER_NEAREST),
    "3--Stripes": _stripes,
}
_EVENTS = tuple(_TEXTURES)
