"""Paints people: body, head and what is on the head, from back to front."""

import dataclasses

import numpy as np

from retinaface_tf.data.synthetic.canvas import Canvas
from retinaface_tf.data.synthetic.heads import Head
from retinaface_tf.data.synthetic.shapes import Points, Rng, any_colour, darker, ellipse

_PUPIL, _WHITE, _THROAT = (32, 24, 20), (238, 236, 232), (66, 24, 26)


def paint_body(canvas: Canvas, rng: Rng, head: Head) -> None:
    """Paints neck and shoulders, upright below the head; the head is painted afterwards."""
    wide, long = rng.uniform((0.8, 1), (1.1, 1.8))
    shoulders = [*ellipse(0, 0.95, wide, 0.33, 180, 360), (wide, long), (-wide, long)]
    neck = [(-0.2, 0), (0.2, 0), (0.24, 0.7), (0, 0.85), (-0.24, 0.7)]
    below = dataclasses.replace(head, angle=0.3 * head.angle)
    canvas.fill(below.flat(shoulders), any_colour(rng))
    canvas.fill(below.flat(neck), darker(head.skin, 0.75))


def paint_head(canvas: Canvas, rng: Rng, head: Head, owner: int) -> None:
    """Paints a head from back to front; only skin belongs to the owner: hair hides other faces."""
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
