"""Finds images, videos, cameras and streams by the paths given to a command."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files
from retinaface_tf.data.video import reading
from retinaface_tf.data.video.names import is_camera, is_stream, without_password
from retinaface_tf.errors import InputError

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".ts", ".mts", ".m2ts")
NO_END = 1 << 62  # frames of a camera or a stream


class Source(NamedTuple):
    """Names an image, a video, a camera or a stream."""

    path: str  # of a file, a camera's number or device, or a stream's address
    kind: str  # image, video, camera or stream
    picture: Path  # file to draw to, below the folder of results

    @property
    def name(self) -> str:
        """Returns the path as it may be shown and stored, without a stream's user and password."""
        return without_password(self.path)

    @property
    def is_live(self) -> bool:
        """Tells whether the source may have no end, so that frames should not wait for others."""
        return self.kind in ("camera", "stream")


def find_sources(paths: Sequence[str], out: Path, *, named: bool = True) -> list[Source]:
    """Finds the images, videos, cameras and streams that paths name; folders are searched.

    Args:
        paths: of images, videos and folders; numbers or devices of cameras; addresses of streams.
        out: folder of the results; files that an earlier run has left there are not used as input.
        named: whether files are written that are named after the inputs.

    Raises:
        InputError: a path does not exist or is in the folder of results, no path has any input, or
            two inputs would be drawn to the same file.
    """
    for path in paths:
        _refuse_results(path, out)
    sources: dict[Path | str, Source] = {}
    for source in (found for path in paths for found in _sources_of(path, out)):
        if not source.is_live and out.resolve() in Path(source.path).resolve().parents:
            continue
        other = sources.setdefault(source.picture if named else source.path, source)
        if other.path != source.path:
            both = f"{other.name} and {source.name}"
            raise InputError(f"{both}: both would be drawn to {source.picture}")
    if not sources:
        expected = ", ".join(IMAGE_SUFFIXES + VIDEOS)
        raise InputError(f"{', '.join(paths)}: no image or video there; expected {expected}")
    return list(sources.values())


def _refuse_results(path: str, out: Path) -> None:
    """Refuses a path that is the folder of results, or is in that folder.

    Raises:
        InputError: the path is refused.
    """
    place, folder = Path(path).resolve(), out.resolve()
    if Path(path).exists() and folder in (place, *place.parents):
        raise InputError(
            f"{path}: is in the folder of results, {out}, which is not searched; expected another "
            f"--out"
        )


def _sources_of(path: str, out: Path) -> Iterator[Source]:
    file = Path(path)
    if file.is_file():
        yield _source(file, Path(file.name))
    elif file.is_dir():
        for child in find_files(file, IMAGE_SUFFIXES + VIDEOS, without=out):
            yield _source(child, child.relative_to(file))
    elif is_camera(path):
        yield Source(path, "camera", Path(f"camera{path.rpartition('/')[2]}.mp4"))
    elif is_stream(path):
        words = re.findall(r"[\w.-]+", without_password(path).partition("://")[2])
        yield Source(path, "stream", Path(f"{'_'.join(words)}.mp4"))
    else:
        raise InputError(f"{path}: no such image, video, folder or camera")


def _source(file: Path, name: Path) -> Source:
    """Names the picture, a JPEG or an MP4; other suffixes stay, to keep a.png and a.jpg apart."""
    is_video = file.suffix.lower() in VIDEOS
    kept, suffix = ((".mp4",), ".mp4") if is_video else ((".jpg", ".jpeg"), ".jpg")
    picture = name if file.suffix.lower() in kept else name.with_name(f"{name.name}{suffix}")
    return Source(str(file), "video" if is_video else "image", picture)


def count_frames(sources: Sequence[Source], max_frames: int | None) -> int | None:
    """Counts the frames to come, for a progress bar; None if a source may have no end."""
    total = 0
    for source in sources:
        if source.is_live and max_frames is None:
            return None
        total += 1 if source.kind == "image" else min(_length(source), max_frames or NO_END)
    return total


def _length(source: Source) -> int:
    return NO_END if source.is_live else reading.count_frames(source.path)
