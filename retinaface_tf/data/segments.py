"""Walks through the segments of a JPEG, in the graph."""

from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.data.outline import END_OF_IMAGE, MORE_DATA, START_OF_SCAN

MAX_SEGMENTS = 4096  # of 64 KiB at most
_MARKER_BYTES = 4  # with the length that follows most
_SCAN_WORD = bytes([0xFF, START_OF_SCAN])


class _Walk(NamedTuple):
    """Holds the state of a walk through a JPEG, from segment to segment."""

    place: tf.Tensor  # int32, after the segment; within a scan, before its data
    scans: tf.Tensor  # int32, passed so far
    is_over: tf.Tensor  # bool, whether the end was found, or is missing


def count_scans(data: tf.Tensor, limit: int) -> tf.Tensor:
    """Counts the scans of a JPEG, up to one more than a limit.

    Args:
        data: string scalar, the file's bytes.
        limit: at least 1.

    Returns:
        int32 scalar, exact up to the limit. A file with more than MAX_SEGMENTS segments counts as
        exceeding the limit.
    """
    # If the whole file has few enough words that start a scan, no walk is needed.
    words = tf.size(tf.strings.split(data, _SCAN_WORD, maxsplit=limit + 1)) - 1

    def walk() -> tf.Tensor:
        end = _Segments(data).walk(limit)
        # Too many segments if the walk is neither at the end nor beyond the limit.
        return tf.where(end.is_over, end.scans, limit + 1)

    return tf.cond(words > limit, walk, lambda: words)


def with_more_data(data: tf.Tensor) -> tf.Tensor:
    """Inserts data after that of a JPEG's first scan: `data.outline.with_more_data` in graphs."""
    segments = _Segments(data)
    end = segments.next_marker(segments.walk(limit=0).place)
    start, rest = (
        tf.strings.substr(data, 0, end),
        tf.strings.substr(data, end, tf.size(segments.values)),
    )
    return tf.strings.join([start, MORE_DATA, rest])


class _Segments:
    """Walks through the segments of a JPEG."""

    def __init__(self, data: tf.Tensor):
        """Finds everything that looks like a marker, even within a segment.

        Args:
            data: string scalar, the file's bytes.
        """
        self.values = tf.io.decode_raw(data + bytes(_MARKER_BYTES), tf.uint8)
        self.last = tf.size(self.values) - _MARKER_BYTES
        first, second = self.values[:-1], self.values[1:]
        # Within a scan, 0xFF also precedes 0 (for a byte 0xFF of the data) and restart markers.
        is_restart = (second >= 0xD0) & (second <= 0xD7)
        is_marker = (first == 0xFF) & (second != 0) & (second != 0xFF) & ~is_restart
        places = tf.cast(tf.where(is_marker)[:, 0], tf.int32)
        self._markers = tf.concat([places, [self.last]], axis=0)

    def next_marker(self, place: tf.Tensor) -> tf.Tensor:
        """Returns the place of the first marker from a place on, or the end of the file, int32."""
        return self._markers[tf.searchsorted(self._markers, place[None])[0]]

    def walk(self, limit: int) -> _Walk:
        """Walks to the end of the image, or to the data of scan `limit + 1`."""

        def goes_on(walk: _Walk) -> tf.Tensor:
            return ~walk.is_over & (walk.scans <= limit)

        def step(walk: _Walk) -> tuple[_Walk]:
            place = self.next_marker(walk.place)
            marker, high, low = tf.unstack(
                tf.cast(self.values[place + 1 : place + _MARKER_BYTES], tf.int32), 3
            )
            is_over = (place >= self.last) | (marker == END_OF_IMAGE)
            is_scan = ~is_over & (marker == START_OF_SCAN)
            end = place + 2 + tf.maximum(high * 256 + low, 2)
            return (
                _Walk(
                    place=tf.minimum(end, self.last),
                    scans=walk.scans + tf.cast(is_scan, tf.int32),
                    is_over=is_over,
                ),
            )

        start = _Walk(tf.constant(2), tf.constant(0), tf.constant(False))
        (end,) = tf.while_loop(goes_on, step, (start,), maximum_iterations=MAX_SEGMENTS)
        return end
