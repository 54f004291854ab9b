"""What a command is pointed at: images, folders, videos, cameras."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2

from retinaface_tf.errors import InputError

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")

# What cannot be opened is told by us, in a line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Source(NamedTuple):
    path: str  # of a file, or a camera's number or device
    kind: str  # image, video or camera
    picture: Path  # where it is drawn, below the folder of results


def find_sources(paths: Sequence[str], out: Path) -> list[Source]:
    """Images, videos and cameras that the paths name; of folders all that lie below.

    What an earlier run has left in `out` is no input.

    Raises:
        InputError: a path does not exist, there is nothing in any, or two would get one picture.
    """
    sources: dict[Path, Source] = {}
    for source in (found for path in paths for found in _sources_of(path)):
        if source.kind != "camera" and out.resolve() in Path(source.path).resolve().parents:
            continue
        other = sources.setdefault(source.picture, source)
        if other.path != source.path:
            both = f"{other.path} and {source.path}"
            raise InputError(f"{both}: both would be drawn to {source.picture}")
    if not sources:
        expected = ", ".join(IMAGES + VIDEOS)
        raise InputError(f"{', '.join(paths)}: no image or video there; expected {expected}")
    return list(sources.values())


def _sources_of(path: str) -> Iterator[Source]:
    file = Path(path)
    if file.is_file():
        yield _source(file, Path(file.name))
    elif file.is_dir():
        for child in sorted(file.rglob("*")):
            if child.suffix.lower() in IMAGES + VIDEOS and child.is_file():
                yield _source(child, child.relative_to(file))
    elif path.isdecimal() or path.startswith("/dev/video"):
        yield Source(path, "camera", Path(f"camera{path.rpartition('/')[2]}.mp4"))
    else:
        raise InputError(f"{path}: no such image, video, folder or camera")


def _source(file: Path, name: Path) -> Source:
    """Pictures are JPEG or MP4; another suffix stays in the name: a.png and a.jpg are two."""
    is_video = file.suffix.lower() in VIDEOS
    kept, suffix = ((".mp4",), ".mp4") if is_video else ((".jpg", ".jpeg"), ".jpg")
    picture = name if file.suffix.lower() in kept else name.with_name(f"{name.name}{suffix}")
    return Source(str(file), "video" if is_video else "image", picture)


def count_frames(sources: Sequence[Source], max_frames: int | None) -> int | None:
    """How many frames there will be, for a progress bar; None where a camera goes on and on."""
    total = 0
    for source in sources:
        if source.kind == "camera" and max_frames is None:
            return None
        total += 1 if source.kind == "image" else min(_length(source), max_frames or 1 << 62)
    return total


def _length(source: Source) -> int:
    if source.kind == "camera":
        return 1 << 62
    video = cv2.VideoCapture(source.path)
    length = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.release()
    return max(length, 0)
