"""Finds images, videos and cameras by the paths that a command is given."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from retinaface_tf.data import video
from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files
from retinaface_tf.errors import InputError

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
NO_END = 1 << 62  # frames of a camera


class Source(NamedTuple):
    """Names an image, a video or a camera."""

    path: str  # of a file, or a camera's number or device
    kind: str  # image, video or camera
    picture: Path  # where it is drawn, below the folder of results


def find_sources(paths: Sequence[str], out: Path, *, named: bool = True) -> list[Source]:
    """Finds the images, videos and cameras that the paths name; in folders all that lie below.

    Args:
        paths: of images, videos and folders; numbers or devices of cameras.
        out: folder of the results; what an earlier run has left there is no input.
        named: whether files are written that are named after each input.

    Raises:
        InputError: a path does not exist or lies in the folder of results, there is nothing in any,
            or two would get one picture.
    """
    for path in paths:
        _refuse_results(path, out)
    sources: dict[Path | str, Source] = {}
    for source in (found for path in paths for found in _sources_of(path, out)):
        if source.kind != "camera" and out.resolve() in Path(source.path).resolve().parents:
            continue
        other = sources.setdefault(source.picture if named else source.path, source)
        if other.path != source.path:
            both = f"{other.path} and {source.path}"
            raise InputError(f"{both}: both would be drawn to {source.picture}")
    if not sources:
        expected = ", ".join(IMAGE_SUFFIXES + VIDEOS)
        raise InputError(f"{', '.join(paths)}: no image or video there; expected {expected}")
    return list(sources.values())


def _refuse_results(path: str, out: Path) -> None:
    """Refuses a path that is the folder of results, or lies in it.

    Raises:
        InputError: so it is.
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
    elif path.isdecimal() or path.startswith("/dev/video"):
        yield Source(path, "camera", Path(f"camera{path.rpartition('/')[2]}.mp4"))
    else:
        raise InputError(f"{path}: no such image, video, folder or camera")


def _source(file: Path, name: Path) -> Source:
    """Names the picture, a JPEG or an MP4; other suffixes stay, as a.png and a.jpg are two."""
    is_video = file.suffix.lower() in VIDEOS
    kept, suffix = ((".mp4",), ".mp4") if is_video else ((".jpg", ".jpeg"), ".jpg")
    picture = name if file.suffix.lower() in kept else name.with_name(f"{name.name}{suffix}")
    return Source(str(file), "video" if is_video else "image", picture)


def count_frames(sources: Sequence[Source], max_frames: int | None) -> int | None:
    """Counts the frames to come, for a progress bar; None where a camera has no end."""
    total = 0
    for source in sources:
        if source.kind == "camera" and max_frames is None:
            return None
        total += 1 if source.kind == "image" else min(_length(source), max_frames or NO_END)
    return total


def _length(source: Source) -> int:
    return NO_END if source.kind == "camera" else video.count_frames(source.path)
