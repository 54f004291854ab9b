"""Makes faces unrecognisable."""

import cv2

from retinaface_tf.detections import Detections
from retinaface_tf.drawing import Picture, window_around

BLUR_CELLS = 6  # pixels that remain along a face's longer side
BLUR_MARGIN = 0.15  # of the box, on each side, as ears and chin identify a person, too


def blur_faces(image: Picture, faces: Detections) -> Picture:
    """Returns a copy in which each face is reduced to a few large pixels, irreversibly.

    Args:
        image: RGB uint8 [H, W, 3].
        faces: of the image.
    """
    picture = image.copy()
    for box in faces.boxes:
        window = window_around(box, image.shape, BLUR_MARGIN)
        if window is not None:
            _blur(window.cut(picture))
    return picture


def _blur(part: Picture) -> None:
    """Averages a part of an image over BLUR_CELLS cells along its longer side, in place."""
    height, width = part.shape[:2]
    scale = min(1.0, BLUR_CELLS / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    cells = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
