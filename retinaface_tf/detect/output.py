"""Writes what was found of a frame: pictures or a video, faces cut out, results."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2

from retinaface_tf.detect import pictures
from retinaface_tf.detect.alignment import TEMPLATES, similarity
from retinaface_tf.detect.frames import Frame
from retinaface_tf.detect.results import Found, Results
from retinaface_tf.drawing import Picture, write_picture
from retinaface_tf.errors import InputError

CROPS, ALIGNED = "crops", "aligned"  # folders of results


class Wanted(NamedTuple):
    pictures: bool  # at all
    blur: bool  # in pictures, instead of boxes
    crop: bool
    margin: float  # share of a box on each side of a crop
    align: str | None  # a key of TEMPLATES


class Output:
    """A folder of results."""

    def __init__(self, folder: Path, wanted: Wanted):
        """Opens it; it is made."""
        self.folder, self.wanted = folder, wanted
        self.results = Results(folder)
        self._video: tuple[Path, Any] | None = None

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        self._close_video()
        self.results.__exit__()

    def write(self, frame: Frame, faces: list[Found]) -> None:
        """Adds a frame.

        Raises:
            InputError: a picture cannot be written.
        """
        faces = [self._cut_out(frame, number, face) for number, face in enumerate(faces)]
        self.results.write(frame, faces)
        if self.wanted.pictures:
            paint = pictures.blur if self.wanted.blur else pictures.draw
            self._write_picture(frame, paint(frame.pixels, faces))

    def _cut_out(self, frame: Frame, number: int, face: Found) -> Found:
        """The face with what was cut out of it; names count faces, and frames in a video."""
        place = "" if frame.number is None else f"_{frame.number:06d}"
        name = frame.source.picture
        if frame.source.kind != "camera":
            name = name.with_name(Path(frame.source.path).name)
        # Other suffixes stay: a.jpg and a.jpeg are two, as are a.mp4 and a.jpg.
        name = name.with_name(f"{name.name.removesuffix('.jpg')}{place}_{number}.jpg")
        if self.wanted.crop:
            part = pictures.crop(frame.pixels, face, self.wanted.margin)
            if part is not None:
                face = face._replace(crop=self._write_image(Path(CROPS) / name, part))
        if self.wanted.align is not None:
            template = TEMPLATES[self.wanted.align]
            matrix = similarity(face.landmarks, template.points)
            picture = pictures.align(frame.pixels, matrix, template)
            path = self._write_image(Path(ALIGNED) / name, picture)
            face = face._replace(aligned=path, matrix=matrix)
        return face

    def _write_picture(self, frame: Frame, picture: Picture) -> None:
        if frame.number is None:
            self._write_image(frame.source.picture, picture)
            return
        file = self.folder / frame.source.picture
        if self._video is None or self._video[0] != file:
            self._close_video()
            self._video = file, _open_video(file, frame)
        self._video[1].write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def _write_image(self, path: Path, image: Picture) -> str:
        """Writes RGB below the folder; returns the path there."""
        file = self.folder / path
        write_picture(file, image)
        return path.as_posix()

    def _close_video(self) -> None:
        if self._video is not None:
            self._video[1].release()
            self._video = None


def _open_video(file: Path, frame: Frame) -> Any:
    file.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = frame.pixels.shape
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    video = cv2.VideoWriter(str(file), codec, frame.rate, (width, height))
    if not video.isOpened():
        raise InputError(f"{file}: cannot be written as a video")
    return video
