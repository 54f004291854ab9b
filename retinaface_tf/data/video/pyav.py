"""Tells whether PyAV is installed."""

import functools
import logging

from retinaface_tf.errors import InputError
from retinaface_tf.extras import import_extra

log = logging.getLogger(__name__)


@functools.cache
def has_pyav() -> bool:
    """Tells whether PyAV is installed; if it is not, logs once what is missing."""
    try:
        import_extra("av", "video")
    except InputError as error:
        log.warning(
            "OpenCV reads and writes videos: without sound, at a constant rate, as MPEG-4 part 2, "
            "which browsers do not play; it reads no streams: %s",
            error,
        )
        return False
    return True
