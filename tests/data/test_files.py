"""One walk over folders for all commands: nothing is left out or taken in without a word."""

import os
from pathlib import Path

import pytest

from retinaface_tf.data.files import IMAGE_SUFFIXES, find_files, read_bytes, read_text
from retinaface_tf.errors import InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, **options) -> list[str]:
    files = find_files(folder, IMAGE_SUFFIXES, **options)
    return [str(file.relative_to(folder)) for file in files]


def test_images_of_any_suffix_are_found_below_the_folder(tmp_path, caplog):
    names = ["a.jpg", "b/c.JPEG", "b/d.jfif", "b/e/f.jpe", "g.webp", "h.png", "i.bmp", "j.gif"]
    touch(tmp_path, *names)
    assert found(tmp_path) == sorted(names)
    assert not caplog.records


def test_what_is_left_out_is_counted_by_suffix_in_one_line(tmp_path, caplog):
    touch(tmp_path, "a.jpg", "IMG.HEIC", "b/c.heic", "b/notes", "x.txt", "fine.cache")
    (tmp_path / "gone.png").symlink_to("nowhere")
    assert found(tmp_path, expected=(".txt",)) == ["a.jpg"]
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{tmp_path}: ")
    assert "2 .heic" in line
    assert "1 .cache" in line
    assert "1 without a suffix" in line
    assert "1 broken links" in line
    assert ".txt" not in line


def test_resource_forks_of_macos_are_passed_over_and_counted(tmp_path, caplog):
    touch(tmp_path, "a.jpg", "._a.jpg", "e/._b.png", "__MACOSX/e/c.jpg")
    assert found(tmp_path) == ["a.jpg"]
    assert "left out 3 resource forks" in caplog.text


def test_linked_folders_are_entered_once_and_a_link_to_itself_ends(tmp_path, caplog):
    touch(tmp_path / "elsewhere", "b.jpg", "deep/c.jpg")
    touch(tmp_path / "here", "a.jpg", "real/d.jpg")
    (tmp_path / "here/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here/itself").symlink_to(tmp_path / "here")
    (tmp_path / "here/again").symlink_to("real")
    (tmp_path / "elsewhere/deep/up").symlink_to("..")
    names = ["a.jpg", "linked/b.jpg", "linked/deep/c.jpg", "real/d.jpg"]
    assert found(tmp_path / "here") == names
    assert "3 linked folders already included" in caplog.text


def test_links_across_each_other_are_walked_in_no_time(tmp_path):
    for i in range(30):
        for j in range(30):
            (tmp_path / f"{i}").mkdir(exist_ok=True)
            (tmp_path / f"{i}/{j}").symlink_to(tmp_path / f"{j}")
    touch(tmp_path, "29/a.jpg")
    assert found(tmp_path) == ["29/a.jpg"]


def test_a_folder_of_results_below_is_passed_over(tmp_path, caplog):
    touch(tmp_path, "a.jpg", "out/a.jpg", "out/found.csv")
    assert found(tmp_path, without=tmp_path / "out") == ["a.jpg"]
    assert not caplog.records


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_with_any_byte_order_mark(tmp_path, encoding):
    (tmp_path / "a.txt").write_text("Gesichter für alle", encoding=encoding)
    assert read_text(tmp_path / "a.txt") == "Gesichter für alle"


def test_bytes_that_are_no_text_are_named(tmp_path):
    for content in (b"\xff\xd8\xff\xe0", "für".encode("latin-1"), b"\xff\xfe\x00"):
        (tmp_path / "a.txt").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.txt: expected text"):
            read_text(tmp_path / "a.txt")


def test_what_is_no_plain_file_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path, tmp_path / "pipe", tmp_path / "none", Path("a\0b"), Path("a" * 5000)):
        with pytest.raises(InputError) as error:
            read_bytes(file)
        assert "\n" not in str(error.value)
