"""Opens the images of a shard a few at a time, so that memory does not grow with the shard."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retinaface_tf.batch.sources import ImageRef, bytes_column
from retinaface_tf.data.decode_host import decode_bytes, read_image
from retinaface_tf.errors import InputError, one_line

WINDOW_PIXELS = 1 << 25  # of all images in memory, 100 MB, not counting the last one


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """Holds an image, or why it cannot be opened."""

    path: str
    pixels: NDArray[np.uint8] | None  # RGB [H, W, 3], upright
    error: str | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Returns height and width."""
        return None if self.pixels is None else (self.pixels.shape[0], self.pixels.shape[1])


def open_windows(images: Sequence[ImageRef]) -> Iterator[list[OpenedImage]]:
    """Opens images, and yields as many together as memory allows."""
    window: list[OpenedImage] = []
    room = WINDOW_PIXELS
    for image in _open_all(images):
        window.append(image)
        room -= math.prod(image.size or (0,))
        if room <= 0:
            yield window
            window, room = [], WINDOW_PIXELS
    yield window


def _open_all(images: Iterable[ImageRef]) -> Iterator[OpenedImage]:
    # Consecutive images may be in one file, which is read once for all of them.
    for file, group in groupby(images, key=lambda image: image.file):
        refs = list(group)
        if refs[0].row is None:
            yield from (_open_file(ref) for ref in refs)
        else:
            yield from _open_rows(file, refs)


def _open_file(ref: ImageRef) -> OpenedImage:
    try:
        return OpenedImage(ref.path, read_image(Path(ref.file)))
    except InputError as error:
        return OpenedImage(ref.path, None, str(error))


def _open_rows(file: str, refs: Sequence[ImageRef]) -> Iterator[OpenedImage]:
    """Opens images of a Parquet file, whose rows are in ascending order."""
    wanted = {ref.row: ref.path for ref in refs}
    try:
        for row, data in _read_bytes(file, refs[0].row or 0, refs[-1].row or 0):
            if row in wanted:
                yield _open_bytes(wanted.pop(row), data)
    except (pa.ArrowException, OSError) as error:
        reason = f"{file}: cannot be read as Parquet: {one_line(error)}"
    else:
        reason = f"{file}: no such row"
    yield from (OpenedImage(path, None, reason) for path in wanted.values())


def _read_bytes(file: str, first: int, last: int) -> Iterator[tuple[int, bytes | None]]:
    """Yields rows with their numbers from the row groups that hold rows `first` to `last`."""
    parquet = pq.ParquetFile(file)
    column = bytes_column(parquet.schema_arrow.names)
    start = 0
    for group in range(parquet.num_row_groups):
        end = start + parquet.metadata.row_group(group).num_rows
        if start <= last and end > first:
            batches = parquet.iter_batches(batch_size=16, row_groups=[group], columns=[column])
            values = (value for batch in batches for value in batch.column(0))
            for row, value in enumerate(values, start):
                if first <= row <= last:
                    yield row, value.as_py()
                elif row > last:
                    return
        start = end


def _open_bytes(path: str, data: bytes | None) -> OpenedImage:
    try:
        return OpenedImage(path, decode_bytes(data or b"", path))
    except InputError as error:
        return OpenedImage(path, None, str(error))
