"""Reads streams over a network, and reconnects if one breaks off."""

import logging
import time
from collections.abc import Iterator

from retinaface_tf.data.video.by_pyav import open_video
from retinaface_tf.data.video.frame import Clock, VideoFrame
from retinaface_tf.data.video.names import without_password
from retinaface_tf.errors import InputError

ATTEMPTS = 5  # to reconnect, one after the other
PAUSE = 1.0  # seconds before the first attempt; each further attempt waits twice as long

log = logging.getLogger(__name__)


def read_stream(address: str, pause: float = PAUSE) -> Iterator[VideoFrame]:
    """Reads frames one by one; a live stream has no end.

    Frames of a live stream are timed as they arrive, those of a stream with an end, such as a video
    on a server, by the container.

    Args:
        address: of the stream, such as `http://camera/video.mjpg`.
        pause: seconds before the first attempt to reconnect.

    Raises:
        InputError: no frame can be read; or a live stream broke off, and all attempts to reconnect
            failed.
    """
    name, number, failures, clock = without_password(address), 0, 0, None
    while failures <= ATTEMPTS:
        if failures:
            log.warning("%s: broke off, reconnecting, attempt %d of %d", name, failures, ATTEMPTS)
            time.sleep(pause * 2 ** (failures - 1))
        failures += 1
        try:
            with open_video(address) as video:
                clock = clock or Clock(video.rate)
                for image in video.images:
                    seconds = clock.count(time.monotonic() if video.is_live else image.seconds)
                    yield VideoFrame(number, seconds, video.rate, image.pixels)
                    number, failures = number + 1, 1
        except InputError:
            if not number:
                raise
            continue
        if not number:
            raise InputError(f"{name}: expected a video, no frame can be read")
        if not video.is_live:
            return
    raise InputError(
        f"{name}: broke off after {number} frames, {ATTEMPTS} attempts to reconnect failed"
    )
