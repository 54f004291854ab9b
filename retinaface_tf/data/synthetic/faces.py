"""Paints cartoon people on a canvas.

Everything is painted at twice its size and shrunk at the end, so that a face of 12 px still has
eyes. A second plane remembers whose face is on top at each pixel: what is hidden follows from it.
Shapes of a head are in fractions of the face's height, from its centre, x right and y down.
"""

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Colour = tuple[int, ...]  # red, green, blue, 0..255
Image = NDArray[Any]  # uint8 [H, W, 3], RGB
Points = NDArray[np.float64]  # [N, 2], x y
Rng = np.random.Generator

_SKINS = ("ffe0c8", "f6cfae", "e9b994", "d3a17a", "b98260", "96613f", "71462c", "4f3122")
_HAIRS = ("15110f", "2c1d14", "4a2f1b", "6f4a26", "a5793f", "d8b56a", "8c3a1c", "9d9a96", "e6e3de")
_PUPIL, _WHITE, _THROAT = (32, 24, 20), (238, 236, 232), (66, 24, 26)
_OVERSAMPLING = 2
_LANDMARKS_FROM = 12  # pixels of height; in less nobody can tell the five points apart
_MOST_HIDDEN = 0.7  # nobody would label a face of which less is to be seen


@dataclasses.dataclass(frozen=True)
class DrawnFace:
    """The labels of a face."""

    box: tuple[int, int, int, int]  # x y w h in pixels: forehead to chin, within the image
    landmarks: Points | None  # [5, 2] in pixels, in the order of structures
    occluded: NDArray[np.bool_]  # [5], which landmarks something lies over
    hidden: float  # share of the face under something else or beyond the border


@dataclasses.dataclass(frozen=True, kw_only=True)
class Head:
    """A person: where, how turned, and the features that several strokes share."""

    centre: Points  # [2], pixels
    height: float  # pixels, of the face when upright
    angle: float  # radians, clockwise
    yaw: float  # radians, positive turns the nose to the right of the image
    outline: Points  # [48, 2], clockwise from the right
    eyes: tuple[float, float]  # x of the right one, y of both
    lids: float  # half of how far they are open
    nose: float  # y of its tip
    mouth: tuple[float, float]  # x of the right corner, y of both
    skin: Colour
    hair: Colour

    def flat(self, points: ArrayLike) -> Points:
        """Returns pixels of points that the yaw leaves alone, such as those of outline and hat."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return self.centre + self.height * np.asarray(points) @ np.array([[cos, sin], [-sin, cos]])

    def turned(self, points: ArrayLike, depth: float = 0.42) -> Points:
        """Returns pixels of points that the yaw moves around a cylinder of radius `depth`."""
        x, y = np.asarray(points, np.float64).T
        around = np.arcsin(np.clip(x / depth, -1, 1)) + self.yaw
        return self.flat(np.stack([depth * np.sin(around), y], axis=1))

    def landmarks(self) -> Points:
        """Returns the landmarks in pixels [5, 2], in the order of `structures.LANDMARKS`."""
        pairs = [(sign * x, y) for x, y in (self.eyes, self.mouth) for sign in (-1, 1)]
        return np.insert(self.turned(pairs), 2, self.turned([(0, self.nose)], depth=0.48), axis=0)


class Canvas:
    """The image under the brush and, beside it, whose face is on top (0: nobody's)."""

    def __init__(self, background: Image) -> None:
        self.size = (background.shape[1], background.shape[0])
        self.image: Image = cv2.resize(background, None, fx=_OVERSAMPLING, fy=_OVERSAMPLING)
        self.owner = np.zeros(self.image.shape[:2], np.uint8)

    def fill(self, points: Points, colour: Colour, owner: int | None = 0) -> None:
        """Paints a polygon in pixels of the final image; owner None leaves the face whose it is."""
        cv2.fillPoly(self.image, [_fixed(points)], colour, cv2.LINE_AA, 4)
        if owner is not None:
            cv2.fillPoly(self.owner, [_fixed(points)], (owner,), cv2.LINE_8, 4)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Paints a line, too thin to hide anything; its width is in pixels of the final image."""
        thickness = max(1, round(width * _OVERSAMPLING))
        cv2.polylines(self.image, [_fixed(points)], False, colour, thickness, cv2.LINE_AA, 4)

    def finish(self, heads: list[Head]) -> tuple[Image, list[DrawnFace]]:
        """Returns the image at its final size, and the labels of its faces; heads[0] owns 1."""
        image = cv2.resize(self.image, self.size, interpolation=cv2.INTER_AREA)
        seen = np.bincount(self.owner.ravel(), minlength=len(heads) + 1)
        faces = [self._label(head, owner, int(seen[owner])) for owner, head in enumerate(heads, 1)]
        return image, [face for face in faces if face.hidden <= _MOST_HIDDEN]

    def _label(self, head: Head, owner: int, seen: int) -> DrawnFace:
        outline, marks = head.flat(head.outline), head.landmarks()
        near, far = np.rint([outline.min(axis=0), outline.max(axis=0)]).clip(0, self.size)
        x, y, width, height = np.concatenate([near, far - near]).astype(int).tolist()
        known = height >= _LANDMARKS_FROM and ((marks >= near) & (marks <= far)).all()
        last = np.subtract(self.owner.shape[::-1], 1)
        column, row = (marks * _OVERSAMPLING).astype(int).clip(0, last).T
        area = cv2.contourArea(outline.astype(np.float32)) * _OVERSAMPLING**2
        return DrawnFace(
            box=(x, y, width, height),
            landmarks=marks if known else None,
            occluded=self.owner[row, column] != owner,
            hidden=float(np.clip(1 - seen / area, 0, 1)),
        )


def _fixed(points: Points) -> NDArray[np.int32]:
    """Converts to OpenCV's fixed point, whose origin is the middle of the first pixel."""
    return np.rint((points * _OVERSAMPLING - 0.5) * 16).astype(np.int32)


def ellipse(x: float, y: float, rx: float, ry: float, first: int = 0, last: int = 360) -> Points:
    """Returns points [24, 2] by centre, radii and degrees, which run clockwise from the right."""
    around = np.radians(np.linspace(first, last, 24))
    return np.stack([x + rx * np.cos(around), y + ry * np.sin(around)], axis=1)


def colour_near(rng: Rng, codes: tuple[str, ...]) -> Colour:
    """Draws a colour near one of these hexadecimal ones."""
    exact = np.array(list(bytes.fromhex(rng.choice(codes))))
    return tuple((exact + rng.normal(0, 6) + rng.normal(0, 4, 3)).clip(0, 255).astype(int).tolist())


def any_colour(rng: Rng) -> Colour:
    """Draws a colour from grey to vivid, from dark to light."""
    hsv = rng.uniform((0, 20, 40), (180, 220, 245)).astype(np.uint8)
    return tuple(cv2.cvtColor(hsv[None, None], cv2.COLOR_HSV2RGB)[0, 0].tolist())


def darker(colour: Colour, factor: float) -> Colour:
    return tuple(int(value * factor) for value in colour)


def random_head(rng: Rng, centre: Points, height: float) -> Head:
    """Draws the features of a person whose face has this height in pixels and centre [2]."""
    around = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    chin = 1 - rng.uniform(0.08, 0.3) * np.sin(around).clip(0) ** 2
    x = rng.uniform(0.35, 0.42) * np.cos(around) * chin
    return Head(
        centre=centre,
        height=height,
        angle=float(np.radians(np.clip(rng.normal(0, 9), -25, 25))),
        yaw=float(np.clip(rng.normal(0, 0.2), -0.45, 0.45)),
        outline=np.stack([x, 0.5 * np.sin(around)], axis=1),
        eyes=(rng.uniform(0.15, 0.19), rng.uniform(-0.1, -0.02)),
        lids=rng.uniform(0.015, 0.055),
        nose=rng.uniform(0.11, 0.16),
        mouth=(rng.uniform(0.1, 0.16), rng.uniform(0.25, 0.31)),
        skin=colour_near(rng, _SKINS),
        hair=colour_near(rng, _HAIRS),
    )


def paint_body(canvas: Canvas, rng: Rng, head: Head) -> None:
    """Paints neck and shoulders, upright below the head, which is painted after them."""
    wide, long = rng.uniform((0.8, 1), (1.1, 1.8))
    shoulders = [*ellipse(0, 0.95, wide, 0.33, 180, 360), (wide, long), (-wide, long)]
    neck = [(-0.2, 0), (0.2, 0), (0.24, 0.7), (0, 0.85), (-0.24, 0.7)]
    below = dataclasses.replace(head, angle=0.3 * head.angle)
    canvas.fill(below.flat(shoulders), any_colour(rng))
    canvas.fill(below.flat(neck), darker(head.skin, 0.75))


def paint_head(canvas: Canvas, rng: Rng, head: Head, owner: int) -> None:
    """Paints a head from back to front; only skin is the owner's: hair hides faces behind it."""
    hair = rng.choice(len(_HAIRS_BEHIND), p=(0.12, 0.34, 0.24, 0.14, 0.16))
    for shape in _HAIRS_BEHIND[hair]:
        canvas.fill(head.flat(shape), head.hair)
    for x in (-0.39, 0.39):
        canvas.fill(head.flat(ellipse(x, 0, 0.05, 0.1)), darker(head.skin, 0.85))
    canvas.fill(head.flat(head.outline), head.skin, owner)
    shadow = np.roll(head.outline, rng.integers(48), axis=0)[:20]
    canvas.fill(head.flat(shadow), darker(head.skin, rng.uniform(0.75, 1)), None)
    _paint_beard_and_mouth(canvas, rng, head)
    _paint_eyes_and_nose(canvas, head)
    if hair:
        _paint_fringe(canvas, rng, head)
    for paint, share in ((_paint_glasses, 0.2), (_paint_hat, 0.15), (_paint_thing, 0.14)):
        if rng.random() < share:
            paint(canvas, rng, head)


_SHORT, _BUN = ellipse(0, -0.12, 0.44, 0.48), ellipse(0.1, -0.62, 0.17, 0.15)
_LONG = np.array([(-0.44, -0.1), (0.44, -0.1), (0.5, 0.6), (-0.5, 0.6)])
_CURLS = [ellipse(x, y - 0.1, 0.2, 0.2) for x, y in ellipse(0, -0.1, 0.38, 0.4, 150, 390)[::3]]
_HAIRS_BEHIND: tuple[list[Points], ...] = ([], [_SHORT], [_SHORT, _LONG], _CURLS, [_SHORT, _BUN])


def _paint_eyes_and_nose(canvas: Canvas, head: Head) -> None:
    y, tip = head.eyes[1], head.nose
    for x in (-head.eyes[0], head.eyes[0]):
        canvas.fill(head.turned(ellipse(x, y, 0.09, 0.065)), darker(head.skin, 0.78), None)
        canvas.fill(head.turned(ellipse(x, y, 0.07, head.lids)), _WHITE, None)
        canvas.fill(head.turned(ellipse(x, y, 0.036, min(0.036, head.lids))), _PUPIL, None)
        lid = head.turned(ellipse(x, y, 0.075, head.lids, 180, 360))
        canvas.line(lid, _PUPIL, 0.02 * head.height)
        brow = head.turned([(x - 0.085, y - 0.1), (x, y - 0.135), (x + 0.085, y - 0.1)])
        canvas.line(brow, darker(head.hair, 0.5), 0.03 * head.height)
    wedge = [(0, y + 0.05), (0.055, tip), (0, tip + 0.025), (-0.055, tip)]
    canvas.fill(head.turned(wedge, depth=0.48), darker(head.skin, 0.86), None)
    nostrils = head.turned([(0.04, tip + 0.01), (0, tip + 0.02), (-0.04, tip + 0.01)], depth=0.48)
    canvas.line(nostrils, darker(head.skin, 0.5), 0.012 * head.height)


def _paint_beard_and_mouth(canvas: Canvas, rng: Rng, head: Head) -> None:
    if rng.random() < 0.15:
        cheeks = [(-0.3, 0.06), (-0.17, 0.18), (0.17, 0.18), (0.3, 0.06)]
        canvas.fill(head.flat([*(1.04 * head.outline[:25]), *cheeks]), head.hair, None)
    x, y = head.mouth
    low, up = rng.choice([(0.045, 0.025), (0.07, -0.02), (0.08, 0.045), (0.03, 0.02)])
    lips = np.concatenate([ellipse(0, y, x, low, 0, 180), ellipse(0, y, x, up, 180, 360)])
    canvas.fill(head.turned(lips), darker((186, 78, 76), head.skin[0] / 250), None)
    if rng.random() < 0.35:  # open
        canvas.fill(head.turned(lips * (0.85, 1)), _THROAT, None)
        canvas.fill(head.turned(lips * (0.75, 0.5) + (0, y * 0.5)), _WHITE, None)
    canvas.line(head.turned(ellipse(0, y, x, (low - up) / 2, 0, 180)), _THROAT, head.height / 60)


def _paint_fringe(canvas: Canvas, rng: Rng, head: Head) -> None:
    x = np.linspace(0.41, -0.41, 9)
    y = -0.17 - rng.uniform(0.1, 0.24) * (1 - (x / 0.41) ** 2) + rng.normal(0, 0.02, 9)
    fringe = [*ellipse(0, -0.08, 0.44, 0.5, 190, 350), *zip(x, y, strict=True)]
    canvas.fill(head.flat(fringe), head.hair, None)


def _paint_glasses(canvas: Canvas, rng: Rng, head: Head) -> None:
    (x, y), rim = head.eyes, darker(any_colour(rng), 0.4)
    opaque = rng.random() < 0.35
    for side in (-x, x):
        lens = head.turned(ellipse(side, y + 0.02, 0.125, 0.1))
        if opaque:
            canvas.fill(lens, darker(rim, 0.6))
        canvas.line(lens, rim, 0.025 * head.height)
    canvas.line(head.turned([(0.12 - x, y), (x - 0.12, y)]), rim, 0.025 * head.height)


def _paint_hat(canvas: Canvas, rng: Rng, head: Head) -> None:
    cloth, crown = any_colour(rng), rng.uniform(0.25, 0.45)
    x, across, down = rng.choice([(0, 0.62, 0.05), (0.12, 0.4, 0.05), (0, 0.45, 0.08)])
    canvas.fill(head.flat(ellipse(0, -0.34, 0.44, crown, 180, 360)), cloth)
    canvas.fill(head.flat(ellipse(x, -0.34, across, down)), darker(cloth, 0.7))


def _paint_thing(canvas: Canvas, rng: Rng, head: Head) -> None:
    """Paints something over part of the face: a mask, a hand or a cup, a post, a board."""
    x, y = ellipse(0, 0, 0.4, 0.4)[rng.integers(24)]
    low, side = rng.uniform(0.05, 0.3), rng.choice([-1, 1])
    shapes = (
        [*(1.02 * head.outline[:25]), (-0.2, 0.05), (0, 0), (0.2, 0.05)],
        ellipse(x, y, 0.22, 0.22),
        [(side * 0.12, -0.9), (side * 0.3, -0.9), (side * 0.3, 0.9), (side * 0.12, 0.9)],
        [(-0.6, low), (0.6, low), (0.6, 0.9), (-0.6, 0.9)],
    )
    colour = any_colour(rng) if rng.random() < 0.8 else darker(head.skin, 0.9)
    canvas.fill(head.flat(shapes[rng.integers(4)]), colour)
