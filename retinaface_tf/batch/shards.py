"""Cuts a batch into shards, each of which is processed as a whole or not at all.

Manifests list the images, one per row, and their row groups are the shards. The results of a shard
are one file, named after the shard. Manifests are only ever added, so that a shard that is done
again, after any restart, writes the same rows to the same file.
"""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from retinaface_tf.batch.sources import ImageRef
from retinaface_tf.files import scratch_folder

MANIFESTS = "manifests"  # subfolder of a batch's folder
MAX_IMAGES, MIN_SHARDS = 256, 64  # so that few images still keep many workers busy
# File names need not be UTF-8, hence bytes.
_SCHEMA = pa.schema([("path", pa.string()), ("file", pa.binary()), ("row", pa.int64())])


@dataclass(frozen=True)
class Shard:
    """Names some images of a manifest.

    Attributes:
        manifest: absolute path of the manifest.
        group: number of the row group in the manifest.
        images: how many images the shard has.
    """

    manifest: str
    group: int
    images: int

    @property
    def part(self) -> str:
        """Returns the name of the file with the results."""
        return f"part-{Path(self.manifest).stem}-{self.group:06d}.parquet"

    def read(self) -> list[ImageRef]:
        """Reads the images from the manifest."""
        table = pq.ParquetFile(self.manifest).read_row_group(self.group)
        columns = (table[name].to_pylist() for name in _SCHEMA.names)
        return [
            ImageRef(path, os.fsdecode(file), row) for path, file, row in zip(*columns, strict=True)
        ]


def plan_shards(images: Iterable[ImageRef], out: Path) -> list[Shard]:
    """Plans the shards of all images; images already in a manifest stay where they are.

    Args:
        images: of the batch; of several with the same path, the first counts.
        out: folder of the batch.
    """
    manifests = sorted((out / MANIFESTS).glob("*.parquet"))
    planned = {path for manifest in manifests for path in _paths_of(manifest)}
    new: dict[str, ImageRef] = {}
    for image in images:
        path = image.path.encode(errors="backslashreplace").decode()
        if path not in planned:
            new.setdefault(path, image._replace(path=path))
    if new:
        manifests.append(_write_manifest(out / MANIFESTS, len(manifests), list(new.values())))
    return [shard for manifest in manifests for shard in _shards_of(manifest)]


def _paths_of(manifest: Path) -> Iterator[str]:
    for batch in pq.ParquetFile(manifest).iter_batches(columns=["path"]):
        yield from batch.column(0).to_pylist()


def _write_manifest(folder: Path, number: int, images: Sequence[ImageRef]) -> Path:
    columns = zip(*((path, os.fsencode(file), row) for path, file, row in images), strict=True)
    table = pa.Table.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)],
        schema=_SCHEMA,
    )
    size = min(MAX_IMAGES, math.ceil(len(images) / MIN_SHARDS))
    manifest = folder / f"{number:05d}.parquet"
    with scratch_folder(folder) as scratch:
        pq.write_table(table, scratch / manifest.name, row_group_size=size)
        (scratch / manifest.name).replace(manifest)
    return manifest


def _shards_of(manifest: Path) -> Iterator[Shard]:
    metadata = pq.read_metadata(manifest)
    for group in range(metadata.num_row_groups):
        yield Shard(os.path.abspath(manifest), group, metadata.row_group(group).num_rows)
