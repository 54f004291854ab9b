"""Detects faces: python -m retinaface_tf.detect PATH... [--out DIR].

A PATH is an image, a video, a folder, which is searched with all below it, or a camera: `0` or
`/dev/video0`. Writes `detections.jsonl` and `detections.csv`, whose schema is in
`detection/results.py`, and a picture or video of each with its faces. A camera goes on until
Ctrl-C, or for `--max_frames`.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags
from tqdm import tqdm

from retinaface_tf import cli
from retinaface_tf.detect.alignment import TEMPLATES
from retinaface_tf.detect.sources import Source, count_frames, find_sources
from retinaface_tf.errors import InputError

if TYPE_CHECKING:
    from retinaface_tf.detect.frames import Frame
    from retinaface_tf.detect.output import Output

_WEIGHTS = flags.DEFINE_string("weights", None, "A weights file, instead of a checkpoint.")
_SAVED_MODEL = flags.DEFINE_string("saved_model", None, "An exported model, instead of a network.")
_OUT = flags.DEFINE_string("out", "detections", "Folder of the results.")
_SCORE = flags.DEFINE_float("score", 0.5, "Faces below this score are left out.", 0.0, 1.0)
_BATCH = flags.DEFINE_integer("batch", 8, "Images or frames of one size, detected together.", 1)
_MAX_FRAMES = flags.DEFINE_integer("max_frames", None, "Of each video or camera.", 1)
_PICTURES = flags.DEFINE_bool("pictures", True, "Pictures or videos with the faces.")
_BLUR = flags.DEFINE_bool("blur", False, "Faces in these made unrecognisable, instead of boxes.")
_CROP = flags.DEFINE_bool("crop", False, "Each face as a picture of its own.")
_MARGIN = flags.DEFINE_float("margin", 0.2, "Around a crop, of the box's size, each side.", 0.0)
_ALIGN = flags.DEFINE_enum("align", None, list(TEMPLATES), "Each face aligned by its landmarks.")
flags.mark_flags_as_mutual_exclusive(["weights", "saved_model"], required=False)


def main(arguments: list[str]) -> int:
    if not arguments:
        raise InputError("expected images, videos or folders: python -m retinaface_tf.detect PATH")
    if _BLUR.value and (_CROP.value or _ALIGN.value):
        raise InputError("--blur: its faces would be seen in those of --crop and --align")
    config = cli.read_config(eval__weights=_WEIGHTS.value)
    sources = find_sources(arguments, Path(_OUT.value))
    cli.start_tensorflow()
    from retinaface_tf.detect.frames import in_batches
    from retinaface_tf.detect.output import Output, Wanted
    from retinaface_tf.runtimes.opening import open_detector

    _, detect = open_detector(config, _SAVED_MODEL.value)
    unreadable: list[str] = []
    bar = tqdm(
        total=count_frames(sources, _MAX_FRAMES.value),
        unit="image",
        disable=not sys.stderr.isatty(),
    )
    wanted = Wanted(_PICTURES.value, _BLUR.value, _CROP.value, _MARGIN.value, _ALIGN.value)
    with bar, Output(Path(_OUT.value), wanted) as output:
        frames = _read_all(sources, unreadable)
        try:
            for batch in in_batches(frames, _BATCH.value, config.detector.max_pixels):
                _detect(detect, batch, output, unreadable)
                bar.update(len(batch))
        except KeyboardInterrupt:  # how one leaves a camera; what was found is kept
            logging.info("stopped")
    found = output.results
    logging.info("%d faces in %d images, written to %s", found.faces, found.images, _OUT.value)
    if unreadable:
        raise InputError(f"{len(unreadable)} of {len(sources)} unread: {'; '.join(unreadable)}")
    return 0


def _read_all(sources: Iterable[Source], unreadable: list[str]) -> Iterator["Frame"]:
    """Frames of all sources; adds what cannot be read to a list and goes on."""
    from retinaface_tf.detect.frames import read_frames

    for source in sources:
        try:
            yield from read_frames(source, _MAX_FRAMES.value)
        except InputError as error:
            unreadable.append(str(error))


def _detect(detect: Any, batch: list["Frame"], output: "Output", unreadable: list[str]) -> None:
    from retinaface_tf.detect.results import faces_of

    try:
        detections = detect(np.stack([frame.pixels for frame in batch]))
    except InputError as error:  # too large for an exported model
        unreadable.append(f"{batch[0].source.path}: {error}")
        return
    for i, frame in enumerate(batch):
        output.write(frame, faces_of(detections, i, _SCORE.value))


if __name__ == "__main__":
    cli.run(main)
