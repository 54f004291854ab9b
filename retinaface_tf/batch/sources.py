"""Finds the images of a batch in files, text lists of paths, and Parquet files."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files, read_text
from retinaface_tf.errors import InputError, one_line

LIST_SUFFIX, PARQUET_SUFFIX = ".txt", ".parquet"
PATH_COLUMN = "path"
# The names that Ray's `read_binary_files` and Spark's `binaryFile` use.
BYTES_COLUMNS = ("bytes", "content")


class ImageRef(NamedTuple):
    """Names an image and where its bytes are."""

    path: str  # as in the source, identifies the image
    file: str  # absolute path of the image, or of the Parquet file that holds its bytes
    row: int | None = None  # in the Parquet file; None for an image file


def find_images(sources: Sequence[str], out: Path) -> Iterator[ImageRef]:
    """Finds the images that the sources name, in a fixed order.

    Args:
        sources: images, text lists with one path per line, Parquet files with a column `path`,
            `bytes` or `content`, folders with images and Parquet files anywhere below, and patterns
            such as `photos/*.jpg`. Relative paths in lists start at the working directory.
        out: folder of the results, which is skipped.

    Raises:
        InputError: there is nothing at a source, or a list cannot be read.
    """
    for source in sources:
        files = _files_of(source, out)
        if not files:
            raise InputError(f"{source}: no image, list or Parquet file there")
        for file in files:
            yield from _images_in(file)


def _files_of(source: str, out: Path) -> Sequence[Path]:
    path = Path(source)
    if path.is_dir():
        return find_files(path, (*IMAGE_SUFFIXES, PARQUET_SUFFIX), without=out)
    if path.is_file():
        return [path]
    found = (Path(name) for name in sorted(glob.glob(source, recursive=True)))
    return [path for path in found if path.is_file()]


def _images_in(file: Path) -> Iterable[ImageRef]:
    suffix = file.suffix.lower()
    if suffix == LIST_SUFFIX:
        paths = (line.strip() for line in read_text(file).splitlines())
        return (_image(path) for path in paths if path)
    return _rows_of(file) if suffix == PARQUET_SUFFIX else [_image(str(file))]


def _image(path: str) -> ImageRef:
    return ImageRef(path, os.path.abspath(path))


def _rows_of(file: Path) -> Iterator[ImageRef]:
    """Yields the images of a Parquet file; those without a path are named `FILE#ROW`."""
    try:
        parquet = pq.ParquetFile(file)
        columns = parquet.schema_arrow.names
        holds_bytes = bytes_column(columns) is not None
        if PATH_COLUMN not in columns and not holds_bytes:
            expected = f"{PATH_COLUMN}, {' or '.join(BYTES_COLUMNS)}"
            raise InputError(f"{file}: expected a column {expected}; found {', '.join(columns)}")
        paths = _paths_of(parquet) if PATH_COLUMN in columns else [None] * parquet.metadata.num_rows
        for row, path in enumerate(paths):
            if holds_bytes:
                yield ImageRef(path or f"{file}#{row}", os.path.abspath(file), row)
            elif not path:
                raise InputError(f"{file}: row {row} has no path")
            else:
                yield _image(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: cannot be read as Parquet: {one_line(error)}") from None


def _paths_of(parquet: pq.ParquetFile) -> Iterator[str | None]:
    for batch in parquet.iter_batches(columns=[PATH_COLUMN]):
        yield from batch.column(0).cast(pa.string()).to_pylist()


def bytes_column(columns: Iterable[str]) -> str | None:
    """Returns the column that holds images; None if a Parquet file has only paths."""
    return next((name for name in BYTES_COLUMNS if name in columns), None)
