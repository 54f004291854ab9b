"""Makes the colours and outlines of drawn images."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, ...]  # red, green, blue, 0..255
Image = NDArray[Any]  # uint8 [H, W, 3], RGB
Points = NDArray[np.float64]  # [N, 2], x y
Rng = np.random.Generator


def ellipse(x: float, y: float, rx: float, ry: float, first: int = 0, last: int = 360) -> Points:
    """Returns points [24, 2] by centre, radii and degrees, clockwise from the right."""
    around = np.radians(np.linspace(first, last, 24))
    return np.stack([x + rx * np.cos(around), y + ry * np.sin(around)], axis=1)


def colour_near(rng: Rng, codes: tuple[str, ...]) -> Colour:
    """Picks a colour near one of the hexadecimal codes."""
    exact = np.array(list(bytes.fromhex(rng.choice(codes))))
    return tuple((exact + rng.normal(0, 6) + rng.normal(0, 4, 3)).clip(0, 255).astype(int).tolist())


def any_colour(rng: Rng) -> Colour:
    """Picks any colour, from grey to vivid and from dark to light."""
    hsv = rng.uniform((0, 20, 40), (180, 220, 245)).astype(np.uint8)
    return tuple(cv2.cvtColor(hsv[None, None], cv2.COLOR_HSV2RGB)[0, 0].tolist())


def darker(colour: Colour, factor: float) -> Colour:
    return tuple(int(value * factor) for value in colour)
