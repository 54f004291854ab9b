"""Holds the faces of one image, and draws, crops, aligns and converts them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from retinaface_tf.alignment import TEMPLATES, align_face, similarity
from retinaface_tf.data.image_input import ImageInput, as_rgb
from retinaface_tf.drawing import Picture, draw_faces, window_around
from retinaface_tf.extras import import_extra
from retinaface_tf.structures import LANDMARKS, DetectionBatch

if TYPE_CHECKING:
    import supervision

# Lowest score of the faces that the commands and the API return.
DEFAULT_SCORE = 0.4

Floats = NDArray[np.float32]
Index = NDArray[np.bool_] | NDArray[np.integer] | slice | list[int] | list[bool] | int | np.integer


class FaceDict(TypedDict):
    """Describes a face in plain numbers, for JSON."""

    box: list[float]  # x1 y1 x2 y2 in pixels
    score: float
    landmarks: dict[str, list[float]]  # x y by name


@dataclass(frozen=True, eq=False, repr=False)
class Detections:
    """Holds the faces of one RGB image in pixels of the upright image, best score first.

    Examples:
        >>> faces = Detections(
        ...     boxes=np.array([[10, 20, 50, 70], [80, 20, 95, 40]], np.float32),
        ...     scores=np.array([0.99, 0.6], np.float32),
        ...     landmarks=np.full((2, 5, 2), 30, np.float32),
        ... )
        >>> faces
        Detections(2 faces, scores 0.99 to 0.60)
        >>> faces.above(0.8).boxes
        array([[10., 20., 50., 70.]], dtype=float32)
        >>> height = faces.boxes[:, 3] - faces.boxes[:, 1]
        >>> len(faces[height > 100])
        0

    Attributes:
        boxes: float32 [N, 4], x1 y1 x2 y2.
        scores: float32 [N], 0..1.
        landmarks: float32 [N, 5, 2], x y of left eye, right eye, nose, left mouth corner and right
            mouth corner, as seen in the image.
        error: why an image of a batch could not be processed; None if it was.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats
    error: str | None = None

    @classmethod
    def none(cls, error: str | None = None) -> "Detections":
        """Returns detections without any face."""
        boxes, landmarks = np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32)
        return cls(boxes, np.zeros(0, np.float32), landmarks, error)

    @classmethod
    def of_batch(cls, batch: DetectionBatch) -> list["Detections"]:
        """Splits a batch by image."""
        arrays = DetectionBatch(*(np.asarray(part) for part in batch))
        return [cls.of_image(arrays, image) for image in range(len(arrays.scores))]

    @classmethod
    def of_image(cls, batch: DetectionBatch, image: int) -> "Detections":
        """Returns the faces of one image of a batch."""
        count = int(batch.num_detections[image])
        boxes, scores, landmarks = (
            np.asarray(rows[image], np.float32)[:count] for rows in batch[:3]
        )
        return cls(boxes, scores, landmarks)

    def as_batch(self) -> DetectionBatch:
        """Returns the faces as a batch of one image."""
        count = np.array([len(self)], np.int32)
        return DetectionBatch(self.boxes[None], self.scores[None], self.landmarks[None], count)

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator["Detections"]:
        """Yields the faces one by one, each as Detections of length 1."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        if self.error is not None:
            return f"Detections(error={self.error!r})"
        if not len(self):
            return "Detections(no faces)"
        if len(self) == 1:
            return f"Detections(1 face, score {self.scores[0]:.2f})"
        worst, best = self.scores.min(), self.scores.max()
        return f"Detections({len(self)} faces, scores {best:.2f} to {worst:.2f})"

    def __getitem__(self, index: Index) -> "Detections":
        """Selects faces by a mask [N], by positions, a slice or one position."""
        if isinstance(index, int | np.integer):
            index = [range(len(self))[index]]
        return Detections(self.boxes[index], self.scores[index], self.landmarks[index], self.error)

    def above(self, score: float) -> "Detections":
        """Selects the faces with at least a score."""
        return self[self.scores >= score]

    def scaled(self, factor: float | Floats) -> "Detections":
        """Scales the faces with their image, by one factor or by factors for x and y [2]."""
        ratio = np.ones(2, np.float32) * np.asarray(factor, np.float32)
        boxes = self.boxes * np.tile(ratio, 2)
        return replace(self, boxes=boxes, landmarks=self.landmarks * ratio)

    def draw(self, image: ImageInput) -> Picture:
        """Draws boxes, landmarks and scores onto a copy of the RGB image.

        Examples:
            >>> Detections.none().draw(np.zeros((4, 6, 3), np.uint8)).shape
            (4, 6, 3)

        Args:
            image: the image that was given to `detect`, in any form that `detect` takes.

        Returns:
            RGB uint8 [H, W, 3].
        """
        return draw_faces(as_rgb(image), self.boxes, self.landmarks, self.scores)

    def crop(self, image: ImageInput, margin: float = 0.2) -> list[Picture]:
        """Cuts each face out of the RGB image, clipped to the image.

        Args:
            image: the image that was given to `detect`, in any form that `detect` takes.
            margin: what to add on each side, in widths and heights of the box.

        Returns:
            RGB uint8 [h, w, 3] for each face, empty where a box lies outside the image.
        """
        pixels = as_rgb(image)
        windows = (window_around(box, pixels.shape, margin) for box in self.boxes)
        return [pixels[:0, :0] if window is None else window.cut(pixels) for window in windows]

    def align(self, image: ImageInput, template: str = "arcface112") -> Picture:
        """Cuts each face out of the RGB image, rotated and scaled as face recognition expects it.

        Examples:
            >>> Detections.none().align(np.zeros((4, 6, 3), np.uint8)).shape
            (0, 112, 112, 3)

        Args:
            image: the image that was given to `detect`, in any form that `detect` takes.
            template: a key of `alignment.TEMPLATES`.

        Returns:
            RGB uint8 [N, S, S, 3], black outside the image.
        """
        pixels, target = as_rgb(image), TEMPLATES[template]
        aligned = np.zeros([len(self), target.side, target.side, 3], np.uint8)
        for picture, points in zip(aligned, self.landmarks, strict=True):
            picture[:] = align_face(pixels, similarity(points, target.points), target)
        return aligned

    def to_dict(self) -> list[FaceDict]:
        """Returns the faces as plain numbers, ready for JSON.

        Examples:
            >>> Detections(np.ones((1, 4)), np.ones(1), np.ones((1, 5, 2))).to_dict()[0]["box"]
            [1.0, 1.0, 1.0, 1.0]
        """
        rows = zip(self.boxes.tolist(), self.scores.tolist(), self.landmarks.tolist(), strict=True)
        return [
            FaceDict(box=box, score=score, landmarks=dict(zip(LANDMARKS, points, strict=True)))
            for box, score, points in rows
        ]

    def to_supervision(self) -> "supervision.Detections":
        """Converts the faces for Roboflow's `supervision`, with the landmarks in `data`.

        Raises:
            InputError: the extra `supervision` is not installed.
        """
        return import_extra("supervision", "supervision").Detections(
            xyxy=self.boxes,
            confidence=self.scores,
            class_id=np.zeros(len(self), int),
            data={"landmarks": self.landmarks},
        )
