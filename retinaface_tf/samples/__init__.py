"""Holds two public-domain photographs for examples, tests and `retinaface detect --sample`.

`grace_hopper.jpg`: Commodore Grace M. Hopper, US Navy, 1984; official portrait by James S. Davis,
United States Navy. Reduced from matplotlib's sample data.

`eileen_collins.jpg`: Eileen M. Collins, NASA astronaut; official portrait by NASA, 1993. Reduced
from scikit-image's `data.astronaut()`.

Works of the United States government have no copyright in the United States.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

GRACE_HOPPER = Path(__file__).with_name("grace_hopper.jpg")
EILEEN_COLLINS = Path(__file__).with_name("eileen_collins.jpg")
SAMPLES = (GRACE_HOPPER, EILEEN_COLLINS)
# The face in each, from forehead to chin, measured by eye: x1 y1 x2 y2 in pixels.
FACES: Mapping[Path, tuple[int, int, int, int]] = MappingProxyType(
    {GRACE_HOPPER: (128, 90, 230, 220), EILEEN_COLLINS: (140, 50, 206, 143)}
)
