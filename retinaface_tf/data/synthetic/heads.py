"""Places heads: computes where a person's features lie in an image as the head turns.

Shapes of a head are in fractions of the face's height, from its centre, x right and y down.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from retinaface_tf.data.synthetic.shapes import Colour, Points, Rng, colour_near

_SKINS = ("ffe0c8", "f6cfae", "e9b994", "d3a17a", "b98260", "96613f", "71462c", "4f3122")
_HAIRS = ("15110f", "2c1d14", "4a2f1b", "6f4a26", "a5793f", "d8b56a", "8c3a1c", "9d9a96", "e6e3de")


@dataclass(frozen=True, kw_only=True)
class Head:
    """Describes a person: position, pose, and the features that several strokes share."""

    centre: Points  # [2], pixels
    height: float  # pixels, of the face when upright
    angle: float  # radians, clockwise
    yaw: float  # radians, positive turns the nose to the right of the image
    outline: Points  # [48, 2], clockwise from the right
    eyes: tuple[float, float]  # x of the right one, y of both
    lids: float  # half the height of their opening
    nose: float  # y of its tip
    mouth: tuple[float, float]  # x of the right corner, y of both
    skin: Colour
    hair: Colour

    def flat(self, points: ArrayLike) -> Points:
        """Returns pixels of points that yaw does not move, such as those of outline and hat."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return self.centre + self.height * np.asarray(points) @ np.array([[cos, sin], [-sin, cos]])

    def turned(self, points: ArrayLike, depth: float = 0.42) -> Points:
        """Returns pixels of points that yaw moves around a cylinder of radius `depth`."""
        x, y = np.asarray(points, np.float64).T
        around = np.arcsin(np.clip(x / depth, -1, 1)) + self.yaw
        return self.flat(np.stack([depth * np.sin(around), y], axis=1))

    def landmarks(self) -> Points:
        """Returns the landmarks in pixels [5, 2], in the order of `structures.LANDMARKS`."""
        pairs = [(sign * x, y) for x, y in (self.eyes, self.mouth) for sign in (-1, 1)]
        return np.insert(self.turned(pairs), 2, self.turned([(0, self.nose)], depth=0.48), axis=0)


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
