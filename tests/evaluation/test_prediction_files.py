"""Prediction files: what is written reads back, and every broken line is named."""

import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retinaface_tf.errors import InputError
from retinaface_tf.evaluation.prediction_files import read_predictions, write_predictions

GOOD = "name\n2\n1 2 3 4 0.9\n-5 6 7 8 0.5\n"


def write_text(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write_zip(file, files):
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file


@pytest.mark.parametrize("top", ["", "results/"])
@pytest.mark.parametrize("write", [write_text, write_zip])
def test_a_folder_and_a_zip_are_read_with_and_without_a_folder_around(tmp_path, write, top):
    files = {f"{top}1--March/a.b.txt": GOOD, f"{top}0--Parade/c.txt": "c.jpg\n0\n"}
    read = read_predictions(write(tmp_path / "made", files))
    assert set(read) == {"1--March/a.b", "0--Parade/c"}
    assert read["1--March/a.b"].tolist() == [[1, 2, 3, 4, 0.9], [-5, 6, 7, 8, 0.5]]
    assert read["0--Parade/c"].shape == (0, 5)
    assert all(rows.dtype == np.float64 for rows in read.values())


def test_other_files_and_the_doubles_that_macos_hides_are_passed_over(tmp_path, caplog):
    files = {
        "e/a.txt": GOOD,
        "e/a.jpg": "?",
        "e/": "",
        "settings.json": "{}",
        "__MACOSX/e/._a.txt": "?",
        "e/._a.txt": "?",
    }
    assert list(read_predictions(write_zip(tmp_path / "made.zip", files))) == ["e/a"]
    assert "left out 1 .jpg, 1 .json, 2 resource forks" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "name with words\n1\n1 2 3 4 0.9",
        "name\r\n1\r\n1 2 3 4 0.9\r\n",
        "name\n1\n1 2 3 4 0.9 \n\n",
        "name\n 1 \n 1.0\t2 3  4e0 .9\n",
    ],
)
def test_spaces_and_ends_of_lines_do_not_matter(tmp_path, text):
    write_text(tmp_path, {"e/a.txt": ""})
    (tmp_path / "e/a.txt").write_bytes(text.encode())
    assert read_predictions(tmp_path)["e/a"].tolist() == [[1, 2, 3, 4, 0.9]]


BROKEN = {
    "empty": ("", r"2: expected the number of detections, found the end"),
    "no count": ("name\n", r"2: expected the number of detections, found the end"),
    "no name": ("1\n1 2 3 4 .9\n", r"2: expected the number of detections, found '1 2 3 4 .9'"),
    "count is a word": ("n\nmany\n1 2 3 4 .9\n", r"2: expected the number .* found 'many'"),
    "negative count": ("n\n-1\n", r"2: expected the number of detections, found '-1'"),
    "count too large": ("n\n3\n1 2 3 4 .9\n", r"2: expected 1, the number of lines .* found '3'"),
    "count too small": ("n\n0\n1 2 3 4 .9\n", r"2: expected 1, the number of lines .* found '0'"),
    "count with spaces": ("n\n 3 \n1 2 3 4 .9\n", r"2: expected 1, the number of lines"),
    "a word": ("n\n2\n1 2 3 4 .9\n1 2 x 4 .9\n", r"4: expected finite x y w h score, .* x 4"),
    "four columns": ("n\n1\n1 2 3 4\n", r"3: expected finite x y w h score, found '1 2 3 4'"),
    "six columns": ("n\n1\n1 2 3 4 5 6\n", r"3: expected finite x y w h score"),
    "four and six": ("n\n2\n1 2 3 4\n1 2 3 4 5 6\n", r"3: expected finite x y w h score"),
    "five of four": ("n\n5\n" + 5 * "1 2 3 4\n", r"3: expected finite x y w h score"),
    "an empty line": ("n\n2\n\n1 2 3 4 .9\n", r"3: expected finite x y w h score, found ''"),
    "NaN": ("n\n2\n1 2 3 4 .9\n1 2 3 4 nan\n", r"4: expected finite .* found '1 2 3 4 nan'"),
    "infinity": ("n\n1\n1 2 inf 4 .9\n", r"3: expected finite x y w h score"),
    "commas": ("n\n1\n1,2,3,4,.9\n", r"3: expected finite x y w h score"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("write", [write_text, write_zip])
def test_a_broken_line_is_named(tmp_path, write, text, said):
    path = write(tmp_path / "made", {"e/good.txt": GOOD, "e/bad.txt": text})
    with pytest.raises(InputError, match=f"made/e/bad.txt:{said}") as error:
        read_predictions(path)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_named(tmp_path):
    write_text(tmp_path, {"e/a.txt": ""})
    (tmp_path / "e/a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"e/a.txt: expected text"):
        read_predictions(tmp_path)


def test_backslashes_in_a_zip_part_folders(tmp_path):
    file = write_zip(tmp_path / "made.zip", {"results\\e\\a.txt": GOOD})
    assert list(read_predictions(file)) == ["e/a"]


@pytest.mark.parametrize("name", ["../e/a.txt", "/e/a.txt", "e\\..\\..\\a.txt", "C:\\e\\a.txt"])
def test_a_name_that_leads_out_of_a_zip_is_named(tmp_path, name):
    file = write_zip(tmp_path / "made.zip", {name: GOOD})
    with pytest.raises(InputError, match=r"made\.zip: .*a\.txt"):
        read_predictions(file)


def test_linked_folders_of_predictions_are_read(tmp_path):
    write_text(tmp_path, {"elsewhere/a.txt": GOOD, "made/f/b.txt": GOOD})
    (tmp_path / "made/e").symlink_to(tmp_path / "elsewhere")
    assert list(read_predictions(tmp_path / "made")) == ["e/a", "f/b"]


@pytest.mark.parametrize("row", ["1 2 3 1e300 0.5", f"1 2 3 {'9' * 5000} 0.5"])
def test_a_number_that_no_network_returns_is_named(tmp_path, row):
    with pytest.raises(InputError, match=r"a\.txt:3: expected finite"):
        read_predictions(write_text(tmp_path, {"e/a.txt": f"n\n1\n{row}\n"}))


COMPRESSIONS = {"deflate": zipfile.ZIP_DEFLATED, "bz2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


@pytest.mark.parametrize("kind", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_damaged_bytes_of_every_compression_are_named(tmp_path, kind):
    file = tmp_path / "made.zip"
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr("e/a.txt", GOOD * 50)
    content = bytearray(file.read_bytes())
    content[45:60] = bytes(15)
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"made\.zip: expected a folder or a readable zip"):
        read_predictions(file)


@pytest.mark.parametrize("kind", COMPRESSIONS.values(), ids=COMPRESSIONS)
@pytest.mark.parametrize("files", [1, 20])
def test_a_zip_that_unpacks_to_far_more_than_predictions_do_is_not_unpacked(tmp_path, kind, files):
    with zipfile.ZipFile(tmp_path / "made.zip", "w", kind) as archive:
        for i in range(files):
            archive.writestr(f"e/{i}.txt", b"0" * (40_000_000 // files))
    with pytest.raises(InputError, match=r"made\.zip: .* 40000000 bytes"):
        read_predictions(tmp_path / "made.zip")


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_that_lies_about_its_size_takes_no_memory(tmp_path, kind):
    file, size = tmp_path / "made.zip", 200_000_000
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr("e/a.txt", bytes(size))
    file.write_bytes(file.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 100)))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"made\.zip"):
        read_predictions(file)
    assert tracemalloc.get_traced_memory()[1] < size
    tracemalloc.stop()


def test_names_in_a_zip_that_are_no_utf_8_are_named(tmp_path):
    file = write_zip(tmp_path / "made.zip", {"e/ä.txt": GOOD})
    file.write_bytes(file.read_bytes().replace("ä".encode(), b"\xff\xff"))
    with pytest.raises(InputError, match=r"made\.zip: expected a folder or a readable zip"):
        read_predictions(file)


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match="none: no such folder or zip"):
        read_predictions(tmp_path / "none")


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "made.zip").write_text(GOOD)
    with pytest.raises(InputError, match=r"made.zip: expected a folder or a readable zip"):
        read_predictions(tmp_path / "made.zip")


def test_a_zip_with_damaged_content_is_named(tmp_path):
    file = write_zip(tmp_path / "made.zip", {"e/a.txt": GOOD})
    file.write_bytes(file.read_bytes().replace(b"0.9", b"0.7", 1))
    with pytest.raises(InputError, match=r"made.zip: expected a folder or a readable zip"):
        read_predictions(file)


@pytest.mark.parametrize("write", [write_text, write_zip])
def test_nothing_to_read_is_an_error(tmp_path, write):
    path = write(tmp_path / "made", {"e/a.json": "{}"})
    with pytest.raises(InputError, match=r"made: no predictions here, expected <event>/<image>"):
        read_predictions(path)


def test_a_prediction_outside_an_events_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a.txt: not in the folder of an event"):
        read_predictions(write_text(tmp_path, {"a.txt": GOOD}))


def test_two_files_for_one_image_are_an_error(tmp_path):
    files = {"first/e/a.txt": GOOD, "second/e/a.txt": GOOD}
    with pytest.raises(InputError, match=r"second/e/a.txt: a second file for the image e/a"):
        read_predictions(write_text(tmp_path, files))


def test_the_written_format_is_wider_faces(tmp_path):
    write_predictions(tmp_path / "new", {"0--Parade/a.b": np.array([[1.0, -2, 3, 4, 0.25]])})
    written = (tmp_path / "new" / "0--Parade" / "a.b.txt").read_text()
    assert written == "a.b\n1\n1 -2 3 4 0.25\n"


def rows_of(dtype):
    whole = st.integers(-5000, 5000)
    boxes = st.integers(0, 5).flatmap(lambda n: arrays(np.int64, (n, 4), elements=whole))
    score = st.floats(0, 1, width=32 if dtype is np.float32 else 64)
    return boxes.flatmap(
        lambda xywh: arrays(dtype, (len(xywh), 1), elements=score).map(
            lambda scores: np.hstack([xywh.astype(dtype), scores])
        )
    )


@settings(max_examples=50)
@given(rows=rows_of(np.float32) | rows_of(np.float64))
def test_what_is_written_reads_back_equal(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("written")
    write_predictions(folder, {"0--Parade/a": rows, "1--March/none": []})
    read = read_predictions(folder)
    assert list(read) == ["0--Parade/a", "1--March/none"]
    np.testing.assert_array_equal(read["0--Parade/a"], rows)
    assert read["1--March/none"].shape == (0, 5)


@pytest.mark.parametrize("row", [[1.5, 2, 3, 4, 0.5], [1, 2, np.inf, 4, 0.5], [1, 2, 3, 4, np.nan]])
def test_what_would_not_read_back_equal_is_not_written(tmp_path, row):
    with pytest.raises(ValueError, match="e/a: expected finite numbers, x y w h in whole pixels"):
        write_predictions(tmp_path, {"e/a": [row]})
