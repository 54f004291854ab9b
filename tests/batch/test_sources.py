"""What a batch is made of, wherever its paths and bytes are."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinaface_tf.batch.sources import ImageRef, find_images
from retinaface_tf.errors import InputError


@pytest.fixture
def photos(tmp_path) -> Path:
    """Makes a folder with two photos, the second one level below, and a file that is none."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for name in ("a.jpg", "more/b.PNG", "notes.md"):
        (tmp_path / "photos" / name).write_bytes(b"")
    return tmp_path / "photos"


def found(*sources: str | Path) -> list[ImageRef]:
    return list(find_images([str(source) for source in sources], Path("out")))


def write(file: Path, **columns: list) -> Path:
    pq.write_table(pa.table(columns), file)
    return file


def test_a_folder_is_searched_with_all_below_it_but_not_that_of_the_results(photos):
    (photos / "out").mkdir()
    (photos / "out" / "c.jpg").write_bytes(b"")
    paths = [ref.path for ref in find_images([str(photos)], photos / "out")]
    assert paths == [f"{photos}/a.jpg", f"{photos}/more/b.PNG"]


def test_a_pattern_names_files_unless_a_file_has_that_name(photos):
    assert [ref.path for ref in found(photos / "**" / "*.[jP]*")] == [
        f"{photos}/a.jpg",
        f"{photos}/more/b.PNG",
    ]
    (photos / "[a].jpg").write_bytes(b"")
    assert [ref.path for ref in found(photos / "[a].jpg")] == [f"{photos}/[a].jpg"]


def test_a_list_has_a_path_a_line_and_relative_ones_begin_at_the_working_directory(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("a b.jpg\n\n/c.jpg\n")
    assert found("list.txt") == [
        ImageRef("a b.jpg", f"{tmp_path}/a b.jpg"),
        ImageRef("/c.jpg", "/c.jpg"),
    ]


def test_parquet_of_paths_names_files(tmp_path):
    file = write(tmp_path / "a.parquet", path=["/a.jpg", "/b.jpg"], other=[1, 2])
    assert found(file) == [ImageRef("/a.jpg", "/a.jpg"), ImageRef("/b.jpg", "/b.jpg")]


def test_parquet_of_bytes_holds_images_which_its_paths_name(tmp_path):
    file = write(tmp_path / "a.parquet", path=["s3://x/a.jpg", None], content=[b"", b""])
    assert found(tmp_path) == [
        ImageRef("s3://x/a.jpg", str(file), 0),
        ImageRef(f"{file}#1", str(file), 1),
    ]
    file = write(tmp_path / "a.parquet", bytes=[b""])
    assert found(file) == [ImageRef(f"{file}#0", str(file), 0)]


def test_a_name_that_is_not_utf8_is_a_name(tmp_path):
    file = os.fsencode(tmp_path) + b"/\xff.jpg"
    with open(file, "wb"):
        pass
    assert os.fsencode(found(tmp_path)[0].file) == file


def test_what_is_no_source_is_named(tmp_path):
    (tmp_path / "text.parquet").write_text("no Parquet")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "numbers.parquet", x=[1])
    write(tmp_path / "gap.parquet", path=["a.jpg", None])
    for name, said in {
        "none.jpg": "",
        "*.tiff": "",
        "empty": "",
        "text.parquet": "",
        "numbers.parquet": "x",
        "gap.parquet": "row 1",
    }.items():
        with pytest.raises(InputError) as error:
            found(tmp_path / name)
        assert str(error.value).startswith(str(tmp_path / name))
        assert said in str(error.value)
