"""Detects faces in files, folders, videos, cameras and streams, and writes the results."""

import itertools
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from retinaface_tf.detect.frames import Frame, read_frames
from retinaface_tf.detect.output import Output, OutputOptions
from retinaface_tf.detect.results import Results
from retinaface_tf.detect.sources import Source, count_frames, find_sources
from retinaface_tf.detections import DEFAULT_SCORE
from retinaface_tf.errors import InputError
from retinaface_tf.runtimes.interface import DEFAULT_BATCH, Detector

log = logging.getLogger(__name__)


def detect_paths(
    detector: Detector,
    paths: Sequence[str],
    out: Path,
    options: OutputOptions,
    *,
    score_threshold: float = DEFAULT_SCORE,
    batch_size: int = DEFAULT_BATCH,
    max_frames: int | None = None,
) -> Results:
    """Detects faces in all images, videos, cameras and streams that the paths name.

    Args:
        detector: from `load_detector`.
        paths: as for `find_sources`.
        out: folder for the results.
        options: what to write besides the results.
        score_threshold: faces with lower scores are left out.
        batch_size: images or frames of one size to process together.
        max_frames: how many frames to read of each video, camera or stream.

    Returns:
        How many images and faces there were.

    Raises:
        InputError: there is nothing at a path; or, after all else was done, something could not be
            read or written.
    """
    sources = find_sources(paths, out, named=options.names_files)
    reader = _Reader(max_frames)
    with _progress(sources, max_frames) as bar, Output(out, options) as output:
        try:
            for is_live, group in itertools.groupby(sources, lambda source: source.is_live):
                frames, copy = itertools.tee(reader.read(group))
                answers = detector.detect_batch(
                    (frame.pixels for frame in copy),
                    score_threshold=score_threshold,
                    batch_size=1 if is_live else batch_size,
                )
                for frame, faces in zip(frames, answers, strict=True):
                    if faces.error is None:
                        height, width, _ = frame.pixels.shape
                        plan = detector.plan_passes(height, width)
                        log.debug("%s: %d x %d, passes %s", frame.source.name, width, height, plan)
                        output.write(frame, faces)
                    else:
                        reader.errors.append(f"{frame.source.name}: {faces.error}")
                    bar.update()
        except KeyboardInterrupt:  # the way to stop a camera; results are kept
            log.info("stopped")
    errors = dict.fromkeys(reader.errors + output.errors)  # each once, not for every frame
    if errors:
        raise InputError(
            f"{len(errors)} of {len(sources)} could not be read or written, the rest is done "
            f"({output.results}): {'; '.join(errors)}"
        )
    return output.results


def _progress(sources: Sequence[Source], max_frames: int | None) -> tqdm:
    """Returns a bar that counts images, or frames if there is a video."""
    return tqdm(
        total=count_frames(sources, max_frames),
        unit="image" if all(source.kind == "image" for source in sources) else "frame",
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    )


class _Reader:
    """Reads sources one after the other, and continues if one cannot be read."""

    def __init__(self, max_frames: int | None):
        self.errors: list[str] = []
        self._max_frames = max_frames

    def read(self, sources: Iterable[Source]) -> Iterator[Frame]:
        """Yields the frames of all sources."""
        for source in sources:
            try:
                yield from read_frames(source, self._max_frames)
            except InputError as error:
                self.errors.append(str(error))
