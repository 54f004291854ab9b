"""Writes the detections of a batch as Parquet, by this schema.

`detections/part-*.parquet` has a row for each image:

    path     as in the source
    width, height    int32, in pixels, upright; null if there is an error
    error    why the image could not be processed; null if it was
    faces    best first, an empty list if there are none; each has the keys of `detect`'s lines:
        box        [x1, y1, x2, y2] in pixels, float32
        score      0..1, float32
        landmarks  [[x, y], ...]: left eye, right eye, nose, left and right mouth corner, as seen
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from retinaface_tf.detections import Detections
from retinaface_tf.files import scratch_folder, write_text
from retinaface_tf.wording import counted

DETECTIONS, SUMMARY = "detections", "summary.json"  # in a batch's folder
_FLOATS = pa.list_(pa.float32())
_FACE = pa.struct([("box", _FLOATS), ("score", pa.float32()), ("landmarks", pa.list_(_FLOATS))])
SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("error", pa.string()),
        pa.field("faces", pa.list_(_FACE), nullable=False),
    ]
)


@dataclass(frozen=True)
class Summary:
    """Holds the counts of a batch.

    Attributes:
        images: how many rows there are.
        faces: how many faces were found.
        errors: how many images have an error.
    """

    images: int
    faces: int
    errors: int

    def __str__(self) -> str:
        """Returns the counts, as in `2 faces in 3 images, 1 error`."""
        found = f"{counted(self.faces, 'face')} in {counted(self.images, 'image')}"
        return f"{found}, {counted(self.errors, 'error')}" if self.errors else found


def describe(path: str, size: tuple[int, int] | None, faces: Detections) -> dict[str, Any]:
    """Returns the row of an image.

    Args:
        path: of the image.
        size: height and width; None if it could not be decoded.
        faces: of the image, or why it could not be processed.
    """
    height, width = size or (None, None)
    columns = faces.boxes.tolist(), faces.scores.tolist(), faces.landmarks.tolist()
    names = ("box", "score", "landmarks")
    found = [dict(zip(names, face, strict=True)) for face in zip(*columns, strict=True)]
    return {"path": path, "width": width, "height": height, "error": faces.error, "faces": found}


def write_part(out: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Writes the results of a shard, whole or not at all, however many processes do so at once.

    Raises:
        OSError: the file cannot be written.
    """
    folder = out / DETECTIONS
    with scratch_folder(folder) as scratch:
        pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), scratch / name)
        (scratch / name).replace(folder / name)


def finished_parts(out: Path) -> set[str]:
    """Lists the names of the files with results."""
    return {file.name for file in (out / DETECTIONS).glob("part-*.parquet")}


def summarise(out: Path) -> Summary:
    """Counts the results of a finished batch, and removes what killed workers left half-written."""
    for scratch in (out / DETECTIONS).glob(".writing-*"):
        shutil.rmtree(scratch, ignore_errors=True)
    images = faces = errors = 0
    parts = ds.dataset(out / DETECTIONS, SCHEMA, format="parquet")
    for batch in parts.to_batches(columns=["error", "faces"]):
        images += batch.num_rows
        errors += batch.num_rows - batch["error"].null_count
        faces += pc.sum(pc.list_value_length(batch["faces"])).as_py() or 0
    summary = Summary(images, faces, errors)
    write_text(out / SUMMARY, json.dumps(asdict(summary), indent=2) + "\n")
    return summary
