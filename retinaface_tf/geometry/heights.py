"""Defines the classes of face height by which faces are counted and detections evaluated."""

import numpy as np
from numpy.typing import NDArray

# Edges of the classes in pixels; each begins at its edge.
HEIGHTS = (0, 10, 20, 50, 100, 300)
HEIGHT_NAMES = ("< 10", "10-20", "20-50", "50-100", "100-300", "> 300")


def height_class(heights: NDArray[np.floating]) -> NDArray[np.int64]:
    """Returns the position in HEIGHT_NAMES of each height in pixels."""
    return np.digitize(heights, HEIGHTS[1:])
