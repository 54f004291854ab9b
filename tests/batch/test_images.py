"""Images of a shard: some at a time, and bad ones with their reason."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batch.broken_images import BROKEN
from data.image_files import HEIGHT, WIDTH, encode, png
from PIL import Image

from retinaface_tf.batch import images
from retinaface_tf.batch.images import open_windows
from retinaface_tf.batch.sources import ImageRef


def rows(file, *numbers: int) -> list[ImageRef]:
    return [ImageRef(f"row {number}", str(file), number) for number in numbers]


def test_no_more_pixels_are_held_than_were_meant_but_for_the_last_image(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "WINDOW_PIXELS", HEIGHT * WIDTH + 1)
    (tmp_path / "a.png").write_bytes(png())
    refs = [ImageRef(str(number), str(tmp_path / "a.png")) for number in range(5)]
    windows = list(open_windows(refs))
    assert [[image.path for image in window] for window in windows] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]


@pytest.mark.parametrize("name", [*BROKEN, "missing.jpg"])
def test_a_bad_file_is_an_error_that_names_it_and_the_next_is_opened(tmp_path, name):
    if name in BROKEN:
        (tmp_path / name).write_bytes(BROKEN[name])
    (tmp_path / "good.png").write_bytes(png())
    refs = [ImageRef(n, str(tmp_path / n)) for n in (name, "good.png")]
    [[bad, good]] = open_windows(refs)
    assert bad.error.startswith(f"{tmp_path / name}: ")
    assert (bad.pixels, bad.size) == (None, None)
    assert (good.size, good.error) == ((HEIGHT, WIDTH), None)


def test_rows_of_parquet_are_read_whatever_its_row_groups(tmp_path):
    greys = (np.full((1, 1, 3), value, np.uint8) for value in range(0, 250, 5))
    data = [encode(Image.fromarray(grey), "PNG") for grey in greys]
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"bytes": data}), file, row_group_size=7)
    [window] = open_windows(rows(file, *range(5, 30)))
    assert [int(image.pixels[0, 0, 0]) for image in window] == list(range(25, 150, 5))


def test_a_bad_row_and_a_bad_file_of_rows_are_errors(tmp_path):
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"bytes": [png(), None, b"text", png()]}), file)
    [window] = open_windows(rows(file, 0, 1, 2, 3, 9))
    assert [image.error is None for image in window] == [True, False, False, True, False]
    assert window[2].error.startswith("row 2: ")
    assert str(file) in window[4].error
    file.write_bytes(b"text")
    [[image]] = open_windows(rows(file, 0))
    assert image.error.startswith(f"{file}: ")
