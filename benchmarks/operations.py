"""Counts what a training step executes, from a profile, by its parts."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from retinaface_tf.training.step import PARTS

OTHER = "other"  # what is in no part: what passes metrics and arguments on
# Their outputs have a size that depends on data, which the host has to wait for.
DATA_SIZED = {"Where", "Unique", "UniqueV2", "UniqueWithCounts", "NonMaxSuppressionV5"}
COMPILED = "XlaRun"
_PART = re.compile(rf"(?:^|/)({'|'.join(PARTS)})(?:_\d+)?(?=[/:])")
# The body of tf.cond, and the condition of tf.while_loop, as TensorFlow names what it inlines.
_BRANCH = re.compile(r"(.*?cond(?:_\d+)?)/(?:then|else)/")
_CONDITION = re.compile(r"(.*?while(?:_\d+)?)/cond/")


class Operations(NamedTuple):
    executions: int  # without those that do nothing, such as Reshape and Identity
    waits: int  # of the host for a size or a condition that is known on the device


def count_operations(step: Callable[[], object]) -> dict[str, Operations]:
    """Counts the operations that one call of `step` executes, by part; call it before, to trace."""
    events = Counter(_profile(step))
    by_part = {part: [0, 0] for part in (*PARTS, OTHER)}
    for name, number in events.items():
        by_part[_part(name)][0] += number
        if name.rpartition(":")[2] in DATA_SIZED:
            by_part[_part(name)][1] += number
    for name, number in _conditions(events).items():
        by_part[_part(name + ":")][1] += number
    return {part: Operations(*counts) for part, counts in by_part.items()}


def _part(name: str) -> str:
    found = _PART.search(name)
    return found[1] if found else OTHER


def _conditions(events: Counter[str]) -> dict[str, int]:
    """Returns how often each condition was evaluated, by the name of its tf.cond or loop."""
    conditions: dict[str, int] = {}
    for name, number in events.items():
        if found := _CONDITION.match(name):
            conditions[found[1]] = max(number, conditions.get(found[1], 0))
        elif found := _BRANCH.match(name):
            conditions[found[1]] = 1
    return conditions


def _profile(step: Callable[[], object]) -> Iterator[str]:
    """Yields `name:type` of each operation that a call executes."""
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
        with tf.profiler.experimental.Profile(folder, options):
            step()
        [file] = Path(folder).rglob("*.xplane.pb")
        space = XSpace.FromString(file.read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if re.fullmatch(r"[\w./>-]+:_?[A-Z]\w+", name):
                    yield name
