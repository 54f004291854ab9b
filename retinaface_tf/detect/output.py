"""Writes results, pictures or videos with faces, and faces that are cut out."""

from dataclasses import dataclass
from pathlib import Path

from retinaface_tf.alignment import TEMPLATES, align_face, similarity
from retinaface_tf.data.video.writing import VideoWriter, open_writer
from retinaface_tf.detect.blur import blur_faces
from retinaface_tf.detect.frames import Frame
from retinaface_tf.detect.results import CutOut, Results
from retinaface_tf.detections import Detections
from retinaface_tf.drawing import Picture, make_parents, write_picture
from retinaface_tf.errors import InputError

CROPS, ALIGNED = "crops", "aligned"  # folders for results


@dataclass(frozen=True)
class OutputOptions:
    """Selects what to write besides the results.

    Attributes:
        pictures: writes a picture of each image, or a video of each video, with the faces.
        blur: pixelates faces in these, instead of drawing boxes.
        crop: writes each face as a separate picture.
        margin: on each side of a crop, in widths and heights of the box.
        align: a key of `alignment.TEMPLATES`; writes each face aligned by its landmarks.
    """

    pictures: bool = True
    blur: bool = False
    crop: bool = False
    margin: float = 0.2
    align: str | None = None

    @property
    def names_files(self) -> bool:
        """Tells whether files are written that are named after the inputs."""
        return self.pictures or self.crop or self.align is not None


class Output:
    """Writes a folder of results.

    Attributes:
        results: the detections.
        errors: a line for each picture or video that could not be written.
    """

    def __init__(self, folder: Path, options: OutputOptions):
        """Opens the folder, creating it if absent."""
        self.folder, self.options = folder, options
        self.results = Results(folder)
        self.errors: list[str] = []
        self._video: tuple[Path, VideoWriter | None] | None = None

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        self._close_video()
        self.results.__exit__()

    def write(self, frame: Frame, faces: Detections) -> None:
        """Adds a frame; names of files that could not be written are null in the results."""
        cut_outs = [self._cut_out(frame, number, face) for number, face in enumerate(faces)]
        self.results.write(frame, faces, cut_outs)
        if self.options.pictures:
            draw = blur_faces if self.options.blur else _draw_faces
            self._write_picture(frame, draw(frame.pixels, faces))

    def _cut_out(self, frame: Frame, number: int, face: Detections) -> CutOut:
        """Writes what was requested of one face."""
        name = _name_of_face(frame, number)
        crop = aligned = matrix = None
        if self.options.crop:
            [part] = face.crop(frame.pixels, self.options.margin)
            crop = self._write_image(Path(CROPS) / name, part) if part.size else None
        if self.options.align is not None:
            template = TEMPLATES[self.options.align]
            matrix = similarity(face.landmarks[0], template.points)
            picture = align_face(frame.pixels, matrix, template)
            aligned = self._write_image(Path(ALIGNED) / name, picture)
        return CutOut(crop, aligned, matrix)

    def _write_picture(self, frame: Frame, picture: Picture) -> None:
        if frame.number is None:
            self._write_image(frame.source.picture, picture)
            return
        file = self.folder / frame.source.picture
        if self._video is None or self._video[0] != file:
            self._close_video()
            self._video = file, self._open_video(file, frame)
        _, writer = self._video
        if writer is not None:
            try:
                writer.write(picture, frame.seconds or 0.0)
            except InputError as error:
                self.errors.append(str(error))
                self._video = file, None

    def _write_image(self, path: Path, image: Picture) -> str | None:
        """Writes an RGB image below the folder, and returns its path there; None if that fails."""
        try:
            write_picture(self.folder / path, image)
        except InputError as error:
            self.errors.append(str(error))
            return None
        return path.as_posix()

    def _open_video(self, file: Path, frame: Frame) -> VideoWriter | None:
        sound_of = frame.source.path if frame.source.kind == "video" else None
        try:
            make_parents(file)
            return open_writer(file, frame.pixels, frame.rate, sound_of)
        except InputError as error:
            self.errors.append(str(error))
            return None

    def _close_video(self) -> None:
        if self._video is not None and self._video[1] is not None:
            try:
                self._video[1].close()
            except InputError as error:
                self.errors.append(str(error))
        self._video = None


def _draw_faces(image: Picture, faces: Detections) -> Picture:
    return faces.draw(image)


def _name_of_face(frame: Frame, number: int) -> Path:
    """Names the file of a face by its number in the image and, in a video, the frame's number."""
    place = "" if frame.number is None else f"_{frame.number:06d}"
    name = frame.source.picture
    if not frame.source.is_live:
        name = name.with_name(Path(frame.source.path).name)
    # Other suffixes stay, as a.jpg and a.jpeg are two files, and so are a.mp4 and a.jpg.
    return name.with_name(f"{name.name.removesuffix('.jpg')}{place}_{number}.jpg")
