"""Decodes streams with PyAV, and goes on after what is damaged."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import av


def decode_packets(
    container: "av.container.InputContainer", stream: "av.VideoStream | av.AudioStream"
) -> Iterator[tuple[Any, list[Any] | None]]:
    """Decodes a stream as far as it can be read.

    Yields:
        A packet, None after the last, and its frames; None instead of them if it is damaged.
    """
    # The file is cut short, or the network is gone; an IndexError, if FFmpeg takes damaged bytes
    # for the start of another stream.
    with suppress(av.error.FFmpegError, IndexError):
        for packet in container.demux(stream):
            if packet.size:
                yield packet, _decode(packet)
    rest = av.Packet()  # an empty one stands for what the decoder still holds
    rest.stream = stream
    if stream.time_base is not None:
        rest.time_base = stream.time_base
    yield None, _decode(rest)


def _decode(packet: "av.Packet[Any]") -> list[Any] | None:
    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return None
