"""Holds two photographs in the public domain, for examples, tests and `retinaface detect --sample`.

`grace_hopper.jpg`: Commodore Grace M. Hopper, US Navy, 1984; official portrait by James S. Davis,
United States Navy. Reduced from matplotlib's sample data.

`eileen_collins.jpg`: Eileen M. Collins, NASA astronaut; official portrait by NASA, 1993. Reduced
from scikit-image's `data.astronaut()`.

Works of the United States government carry no copyright there.
"""

from pathlib import Path

GRACE_HOPPER = Path(__file__).with_name("grace_hopper.jpg")
EILEEN_COLLINS = Path(__file__).with_name("eileen_collins.jpg")
SAMPLES = (GRACE_HOPPER, EILEEN_COLLINS)
