"""Counts the operations that a training step executes, from a profile, by part."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from retinaface_tf.config_file import load_config
from retinaface_tf.doctor.machine import make_step
from retinaface_tf.structures import Batch, Faces
from retinaface_tf.training.devices import make_strategy
from retinaface_tf.training.step import PARTS, TrainStep

MAX_TARGETS_AND_LOSS = 250
MAX_OUTSIDE = 1500  # operations outside the network
MAX_WAITS = 8
SIDE = 128
OTHER = "other"  # what is in no part, such as passing on metrics and arguments
# Operations whose output size depends on data, so that the host has to wait for it.
DATA_SIZED = {"Where", "Unique", "UniqueV2", "UniqueWithCounts", "NonMaxSuppressionV5"}
_PART = re.compile(rf"(?:^|/)({'|'.join(PARTS)})(?:_\d+)?(?=[/:])")
# TensorFlow's names for the inlined body of tf.cond and condition of tf.while_loop.
_BRANCH = re.compile(r"(.*?cond(?:_\d+)?)/(?:then|else)/")
_CONDITION = re.compile(r"(.*?while(?:_\d+)?)/cond/")


class Operations(NamedTuple):
    executions: int  # without operations that do nothing, such as Reshape and Identity
    waits: int  # of the host, for a size or a condition that only the device knows


def count_operations(step: Callable[[], object]) -> dict[str, Operations]:
    """Counts the operations that one call of `step` executes, by part; call `step` once before."""
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
    """Returns how often each condition was evaluated, by name of the tf.cond or loop."""
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


def within_limits(counts: dict[str, Operations]) -> bool:
    """Tells whether the counts of a step, by part, are within the limits."""
    outside = sum(c.executions for part, c in counts.items() if part != "network")
    return (
        counts["targets"].executions + counts["loss"].executions <= MAX_TARGETS_AND_LOSS
        and outside <= MAX_OUTSIDE
        and sum(c.waits for c in counts.values()) <= MAX_WAITS
    )


def make_step_and_batch(
    images: int, faces: int, settings: Sequence[str] = ()
) -> tuple[TrainStep, Batch]:
    """Makes a TrainStep of MobileNet, and a batch of images with `faces` faces each."""
    config = load_config(
        "configs/mobilenet025.yaml",
        [
            f"data.image_size={SIDE}",
            f"train.batch_per_device={images}",
            "train.num_devices=1",
            *settings,
        ],
    )
    batch = draw_batch(images, faces)
    spec = tf.nest.map_structure(tf.type_spec_from_value, batch)
    open_faces = Faces(*(tf.TensorSpec([images, None, *s.shape[2:]], s.dtype) for s in spec.faces))
    batches = tf.data.Dataset.from_generator(
        lambda: iter([batch]), output_signature=spec._replace(faces=open_faces)
    )
    return make_step(config, make_strategy(config.train), batches), batch


def draw_batch(images: int, faces: int) -> Batch:
    """Draws a batch of images with `faces` faces each."""
    random = np.random.default_rng(0)
    corner = random.uniform(0, 0.8, (images, faces, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0.05, 0.4, corner.shape)], axis=-1)
    return Batch(
        images=tf.zeros([images, SIDE, SIDE, 3], tf.uint8),
        faces=Faces(
            boxes=tf.constant(boxes, tf.float32),
            landmarks=tf.constant(random.uniform(0, 1, (images, faces, 5, 2)), tf.float32),
            has_landmarks=tf.ones([images, faces], tf.bool),
            valid=tf.ones([images, faces], tf.bool),
        ),
        sample=tf.range(images, dtype=tf.int64),
    )
