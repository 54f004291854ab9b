"""Label files: three formats typed by hand, and one line of error for everything else."""

import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.data.records import check_images
from retinaface_tf.data.widerface import read_records
from retinaface_tf.errors import InputError

RETINAFACE = """\
# 0--Parade/a.jpg
10 20 30 40 11 21 0.0 12 22 1.0 13 23 0.0 14 24 0.0 15 25 1.0 0.82
50 60 5 6 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 0.0
# 1--Handshaking/b c.jpg
1.5 2.5 3 4 1 2 0 3 4 0 5 6 0 7 8 0 9 10 0 1
"""
BOXES_ONLY = """\
# 0--Parade/a.jpg
10 20 30 40
50 60 5 6
# 1--Handshaking/b c.jpg
1.5 2.5 3 4
"""
OFFICIAL = """\
0--Parade/a.jpg
2
10 20 30 40 0 0 0 0 0 0
50 60 5 6 1 0 1 0 2 1
1--Handshaking/b c.jpg
1
1.5 2.5 3 4 0 0 0 0 0 0
"""
OFFICIAL_ROW = "1 2 3 4 0 0 0 0 0 0\n"
NOT_A_FACE = "5 5 0 9\n"


@pytest.fixture
def write(tmp_path):
    def write_labels(text: str) -> Path:
        file = tmp_path / "label.txt"
        file.write_text(text, encoding="utf-8", newline="")
        return file

    return write_labels


def jpeg(height: int = 40, width: int = 60) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def row_with_landmarks(*points_and_flags: float) -> str:
    return f"# a.jpg\n1 2 3 4 {' '.join(map(str, points_and_flags))} 0.5\n"


# What a file says.


@pytest.mark.parametrize("text", [RETINAFACE, BOXES_ONLY, OFFICIAL], ids=["20", "4", "official"])
def test_all_three_formats_give_the_same_images_and_boxes(write, text):
    records = read_records(write(text))
    assert records.images.tolist() == ["0--Parade/a.jpg", "1--Handshaking/b c.jpg"]
    assert records.splits.tolist() == [0, 2, 3]
    assert records.boxes.tolist() == [[10, 20, 40, 60], [50, 60, 55, 66], [1.5, 2.5, 4.5, 6.5]]
    assert records.boxes.dtype == records.landmarks.dtype == np.float32


def test_20_columns_have_five_points_a_flag_behind_each(write):
    records = read_records(write(RETINAFACE))
    assert records.has_landmarks.tolist() == [True, False, True]
    assert records.landmarks[0].tolist() == [[11, 21], [12, 22], [13, 23], [14, 24], [15, 25]]
    assert records.landmarks[2].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert not records.landmarks[1].any()


@pytest.mark.parametrize(
    ("text", "lines"),
    [(RETINAFACE, [2, 3, 5]), (BOXES_ONLY, [2, 3, 5]), (OFFICIAL, [3, 4, 7])],
    ids=["20", "4", "official"],
)
def test_every_face_knows_its_line(write, text, lines):
    records = read_records(write(text))
    assert records.face_lines.tolist() == lines
    assert records.only([1]).face_lines.tolist() == lines[2:]


def test_faces_without_area_are_kept_for_who_asks_for_them(write, caplog):
    records = read_records(write("# a.jpg\n" + NOT_A_FACE + "1 2 3 4\n"), keep_flat=True)
    assert records.boxes.tolist() == [[5, 5, 5, 14], [1, 2, 4, 6]]
    assert records.face_lines.tolist() == [2, 3]
    assert not caplog.records


@pytest.mark.parametrize("text", [BOXES_ONLY, OFFICIAL], ids=["4", "official"])
def test_without_columns_for_landmarks_no_face_has_any(write, text):
    records = read_records(write(text))
    assert records.has_landmarks.tolist() == [False] * 3
    assert records.landmarks.shape == (3, 5, 2)
    assert not records.landmarks.any()


def test_a_landmark_at_a_negative_coordinate_is_a_landmark(write):
    text = row_with_landmarks(-1, -1, 0, -7.5, 3, 1, 5, 6, 0, 7, 8, 0, 9, 10, 0)
    records = read_records(write(text))
    assert records.has_landmarks.tolist() == [True]
    assert records.landmarks[0, :2].tolist() == [[-1, -1], [-7.5, 3]]


def test_one_landmark_that_is_not_there_takes_all_five(write):
    text = row_with_landmarks(1, 2, 0, 3, 4, 0, 5, 6, -1, 7, 8, 0, 9, 10, 0)
    records = read_records(write(text))
    assert records.has_landmarks.tolist() == [False]
    assert not records.landmarks.any()


def test_an_official_image_without_faces_has_a_line_of_zeros_which_is_no_face(write, caplog):
    text = "a.jpg\n0\n0 0 0 0 0 0 0 0 0 0\nb.jpg\n1\n" + OFFICIAL_ROW
    records = read_records(write(text))
    assert records.images.tolist() == ["a.jpg", "b.jpg"]
    assert records.splits.tolist() == [0, 0, 1]
    assert not caplog.records


def test_an_official_image_without_faces_may_lack_the_line_of_zeros(write):
    text = "e/a.jpg\n0\ne/b.jpg\n1\n" + OFFICIAL_ROW + "e/c.jpg\n0\n"
    records = read_records(write(text))
    assert records.images.tolist() == ["e/a.jpg", "e/b.jpg", "e/c.jpg"]
    assert records.splits.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("heading", ["# e/a.jpg 640 480", "# e/a b.PNG 1024 768 "])
def test_headings_with_sizes_are_named_as_those_of_labelv2(write, heading):
    with pytest.raises(InputError, match=r"label\.txt:1: .*labelv2"):
        read_records(write(f"{heading}\n1 2 3 4\n"))


def test_a_name_that_ends_in_numbers_is_no_heading_of_labelv2(write):
    assert read_records(write("# e 1 2/a 640 480.jpg\n1 2 3 4\n")).images == ["e 1 2/a 640 480.jpg"]


def test_backslashes_part_folders(write):
    assert read_records(write("# 0--Parade\\a.jpg\n1 2 3 4\n")).images == ["0--Parade/a.jpg"]


@pytest.mark.parametrize(("first", "second"), [("a.jpg", "a.png"), ("b.c.JPG", "b.c.jpg")])
def test_images_that_share_their_predictions_are_named_with_line(write, first, second):
    records = read_records(write(f"# e/{first}\n1 2 3 4\n# e/{second}\n1 2 3 4\n"))
    with pytest.raises(InputError, match=rf"label\.txt:3: {first} and {second} in .*images/e"):
        records.files()


def test_an_image_that_is_listed_twice_is_one_file(write):
    records = read_records(write("# e/a.jpg\n1 2 3 4\n# e/a.jpg\n5 6 7 8\n"))
    assert list(records.files()) == ["e/a"]


def test_windows_line_ends_and_blank_lines_change_nothing(write):
    for text in (RETINAFACE, BOXES_ONLY, OFFICIAL):
        plain = read_records(write(text))
        other = read_records(write("\r\n" + text.replace("\n", "\r\n") + "\r\n\r\n"))
        assert other.images.tolist() == plain.images.tolist()
        np.testing.assert_array_equal(other.boxes, plain.boxes)


def test_an_image_is_below_images_beside_its_labels_and_known_by_file_and_line(write):
    file = write(RETINAFACE)
    records = read_records(file)
    assert len(records) == 2
    assert records.path(1) == file.parent / "images" / "1--Handshaking" / "b c.jpg"
    assert records.where(1) == f"{file}:4"
    assert list(records.files()) == ["0--Parade/a", "1--Handshaking/b c"]
    assert read_records(write(OFFICIAL)).where(1) == f"{file}:5"


# What is dropped.


def test_faces_without_width_or_height_are_dropped_and_counted_in_one_warning(write, caplog):
    text = f"# a.jpg\n{NOT_A_FACE}1 2 3 4\n5 5 9 0\n# b.jpg\n5 5 -3 4\n6 7 8 9\n"
    with caplog.at_level(logging.WARNING):
        records = read_records(write(text))
    assert records.boxes.tolist() == [[1, 2, 4, 6], [6, 7, 14, 16]]
    assert records.splits.tolist() == [0, 1, 2]
    assert [r.getMessage() for r in caplog.records] == [
        f"{records.label_file}: dropped 3 faces without width or height"
    ]


def test_images_without_faces_stay_unless_they_are_to_be_dropped(write, caplog):
    text = f"# a.jpg\n# b.jpg\n{NOT_A_FACE}# c.jpg\n1 2 3 4\n"
    kept = read_records(write(text), keep_empty=True)
    assert kept.images.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert kept.splits.tolist() == [0, 0, 0, 1]
    caplog.clear()
    dropped = read_records(write(text), keep_empty=False)
    assert dropped.images.tolist() == ["c.jpg"]
    assert dropped.splits.tolist() == [0, 1]
    assert dropped.where(0).endswith(":4")
    assert [r.getMessage() for r in caplog.records] == [
        f"{dropped.label_file}: dropped 1 faces without width or height",
        f"{dropped.label_file}: dropped 2 images without faces",
    ]


def test_a_clean_file_warns_of_nothing(write, caplog):
    read_records(write(RETINAFACE), keep_empty=False)
    assert not caplog.records


# What is wrong.


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("# a.jpg\n1 2 3 4\n1 2 three 4\n", 3, id="a word"),
        pytest.param("# a.jpg\n1 2 nan 4\n", 2, id="NaN"),
        pytest.param("# a.jpg\n1 2 3 inf\n", 2, id="infinity"),
        pytest.param("# a.jpg\n1 2 3\n", 2, id="3 columns"),
        pytest.param("# a.jpg\n1 2 3 4 5\n", 2, id="5 columns"),
        pytest.param(RETINAFACE.replace(" 0.82", ""), 2, id="19 columns"),
        pytest.param(f"# a.jpg\n{OFFICIAL_ROW}", 2, id="official columns below a heading"),
        pytest.param("# a.jpg\n1,2,3,4\n", 2, id="commas"),
        pytest.param("# a.jpg\n1 2 3 4\n#\n1 2 3 4\n", 3, id="a heading without a path"),
        pytest.param("# 449 330 122\n1 2 3 4\n", 1, id="numbers where a path should be"),
        pytest.param("\n1 2 3 4\n", 2, id="a face before any image"),
        pytest.param("# -449 330 1e2\n1 2 3 4\n", 1, id="a path of numbers below 0"),
        pytest.param("# a.jpg\n1e39 2 3 4\n", 2, id="beyond float32"),
        pytest.param(f"a.jpg\n\N{SUPERSCRIPT TWO}\n{OFFICIAL_ROW}", 2, id="official, 2 raised"),
        pytest.param(f"a.jpg\n{'9' * 5000}\n{OFFICIAL_ROW}", 2, id="official, huge count"),
        pytest.param("a.jpg\n", 2, id="official, no count"),
        pytest.param(f"a.jpg\n{OFFICIAL_ROW}", 2, id="official, count left out"),
        pytest.param(f"a.jpg\n-1\n{OFFICIAL_ROW}", 2, id="official, count below 0"),
        pytest.param(f"a.jpg\n1.0\n{OFFICIAL_ROW}", 2, id="official, count with a fraction"),
        pytest.param(f"a.jpg\n3\n{OFFICIAL_ROW * 2}", 4, id="official, list cut short"),
        pytest.param(f"a.jpg\n1\n{OFFICIAL_ROW * 2}", 4, id="official, count too small"),
        pytest.param(f"a.jpg\n2\n{OFFICIAL_ROW}b.jpg\n1\n", 4, id="official, count too large"),
        pytest.param("a.jpg\n1\n1 2 3 4\n", 3, id="official, 4 columns"),
        pytest.param("a.jpg\n1\n1 2 x 4 0 0 0 0 0 0\n", 3, id="official, a word"),
        pytest.param(f"a.jpg\n0\n{OFFICIAL_ROW}", 3, id="official, a face behind a count of 0"),
        pytest.param("# a.jpg\n1 2 3 4\n# ../a.jpg\n1 2 3 4\n", 3, id="a path out of the folder"),
        pytest.param("# /elsewhere/a.jpg\n1 2 3 4\n", 1, id="an absolute path"),
        pytest.param("# ..\\a.jpg\n1 2 3 4\n", 1, id="a path out of the folder by backslashes"),
        pytest.param(f"e/../../a.jpg\n1\n{OFFICIAL_ROW}", 1, id="official, a path out"),
        pytest.param("# a\0.jpg\n1 2 3 4\n", 1, id="NUL in a path"),
        pytest.param("# a.jpg\n1 2 3\0 4\n", 2, id="NUL in a row"),
        pytest.param("# a.jpg\n1 2 1e300 4\n", 2, id="1e300"),
        pytest.param(f"# a.jpg\n1 2 {'9' * 5000} 4\n", 2, id="5,000 digits"),
    ],
)
def test_a_malformed_line_is_named_in_one_line(write, text, line):
    file = write(text)
    with pytest.raises(InputError) as error:
        read_records(file)
    assert str(error.value).startswith(f"{file}:{line}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_images_says_what_lines_are_expected(write, text):
    with pytest.raises(InputError, match=r"label\.txt: names no image; expected lines such as"):
        read_records(write(text))


def test_a_missing_file_is_named(tmp_path):
    file = tmp_path / "label.txt"
    message = f"{file}: cannot be read (No such file or directory)"
    with pytest.raises(InputError, match=re.escape(message)):
        read_records(file)


def test_a_binary_file_is_no_label_file(tmp_path):
    file = tmp_path / "label.txt"
    file.write_bytes(jpeg())
    with pytest.raises(InputError, match=re.escape(f"{file}: expected text in UTF-8")):
        read_records(file)


# Images.


@pytest.fixture
def two_images(write):
    """Records of two whole images."""
    records = read_records(write("# a.jpg\n1 2 3 4\n# b/c.jpg\n1 2 3 4\n"))
    for path in (records.path(0), records.path(1)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg())
    return records


def test_whole_images_pass(two_images):
    check_images(two_images)


def test_an_image_with_bytes_behind_its_end_passes(two_images):
    two_images.path(1).write_bytes(jpeg() + b"\0camera's own" * 9)
    check_images(two_images)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_jpeg_cut_short_is_named_with_file_and_line(two_images, share):
    path = two_images.path(1)
    cut = jpeg(200, 200)[: int(len(jpeg(200, 200)) * share)]
    path.write_bytes(cut)
    with pytest.raises(InputError) as error:
        check_images(two_images)
    expected = f"{two_images.label_file}:3: {path} is cut short: {len(cut)} bytes"
    assert str(error.value).startswith(expected)


def test_a_png_cut_short_is_named_and_a_whole_one_passes(write):
    records = read_records(write("# a.PNG\n1 2 3 4\n"))
    records.path(0).parent.mkdir()
    png = cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    records.path(0).write_bytes(png)
    check_images(records)
    records.path(0).write_bytes(png[:-1])
    with pytest.raises(InputError, match=r"label\.txt:1: .*a\.PNG is cut short"):
        check_images(records)


def test_a_file_of_no_bytes_is_named_whatever_its_kind(write):
    for name in ("a.jpg", "a.bmp"):
        records = read_records(write(f"# {name}\n1 2 3 4\n"))
        records.path(0).parent.mkdir(exist_ok=True)
        records.path(0).write_bytes(b"")
        with pytest.raises(InputError, match=rf"label\.txt:1: .*{name} is cut short: 0 bytes"):
            check_images(records)


def test_a_png_named_jpg_is_told_by_its_content(two_images):
    png = cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    two_images.path(0).write_bytes(png)
    check_images(two_images)
    two_images.path(0).write_bytes(png[:-1])
    with pytest.raises(InputError, match=r"a\.jpg is cut short"):
        check_images(two_images)


def test_a_byte_order_mark_changes_nothing(write):
    assert len(read_records(write("\N{ZERO WIDTH NO-BREAK SPACE}" + RETINAFACE))) == 2


def test_a_missing_image_is_named_with_file_and_line(two_images):
    two_images.path(0).unlink()
    with pytest.raises(InputError) as error:
        check_images(two_images)
    assert str(error.value) == (
        f"{two_images.label_file}:1: {two_images.path(0)} cannot be read "
        "(No such file or directory); expected an image there"
    )


def test_of_several_broken_images_the_first_is_named_and_the_others_counted(two_images):
    two_images.path(0).unlink()
    two_images.path(1).write_bytes(b"")
    with pytest.raises(InputError, match=r"label\.txt:1: .*a\.jpg .* \(and 1 more like it\)$"):
        check_images(two_images)


# WIDER FACE itself.


def test_the_part_of_wider_face_at_hand_has_the_counted_faces_and_whole_images(shared, caplog):
    file = shared / "data/widerface/train/label.txt"
    assert len(read_records(file)) == 699
    records = read_records(file, keep_empty=False)
    assert len(records) == 697
    assert len(records.boxes) == 13_346  # of 13,348: two have no area
    assert records.has_landmarks.sum() == 5_294  # the sign of the first coordinate loses one
    assert "dropped 2 images without faces" in caplog.text
    check_images(records)


def test_the_val_labels_at_hand_have_boxes_only(shared):
    records = read_records(shared / "data/widerface/val/label.txt")
    assert len(records) == 403
    assert not records.has_landmarks.any()
    check_images(records)
