"""Gives each colour in pictures one meaning, wherever faces are drawn.

Labelled faces are green, detections red, anchors blue; each landmark has a colour of its own.
"""

from typing import NamedTuple


class Colour(NamedTuple):
    """Holds a colour as RGB, 0..255."""

    red: int
    green: int
    blue: int

    @property
    def css(self) -> str:
        """Returns the colour as `#rrggbb`."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


LABELLED, DETECTED, ANCHOR = Colour(0, 200, 0), Colour(240, 40, 40), Colour(60, 120, 255)
# Left eye, right eye, nose, left and right corner of the mouth, as seen in the image.
LANDMARK_COLOURS = (
    Colour(255, 225, 0),
    Colour(0, 215, 255),
    Colour(255, 255, 255),
    Colour(255, 60, 220),
    Colour(255, 145, 0),
)
