"""Versions of a model that are whole or absent."""

import pytest

from retinaface_tf.errors import InputError
from retinaface_tf.export.versions import new_version, refuse_other_files
from retinaface_tf.runtimes.locate import versions


def write(models, keep=None):
    with new_version(models, keep) as version:
        (version.folder / "file").write_text("content")
    return version.folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_versions_count_up_and_those_that_are_kept_are_the_newest(tmp_path):
    for number in range(1, 12):
        folder = write(tmp_path, keep=3)
        assert folder == tmp_path / str(number)
        assert (folder / "file").read_text() == "content"
    assert names(tmp_path) == ["10", "11", "9"]
    assert [path.name for path in versions(tmp_path)] == ["9", "10", "11"]


def test_without_a_number_to_keep_all_stay(tmp_path):
    for _ in range(3):
        write(tmp_path)
    assert names(tmp_path) == ["1", "2", "3"]


def test_what_is_no_version_is_neither_counted_nor_removed(tmp_path):
    for name in ("notes", "7.old", "0x9"):
        (tmp_path / name).mkdir()
    (tmp_path / "99").write_text("a file")
    write(tmp_path)
    write(tmp_path, keep=1)
    assert names(tmp_path) == sorted(["2", "notes", "7.old", "0x9", "99"])


def test_a_version_is_not_there_before_it_is_whole(tmp_path):
    with new_version(tmp_path) as version:
        assert not versions(tmp_path)
        assert not version.folder.name.isdecimal()
    assert names(tmp_path) == ["1"]


def test_of_a_version_that_fails_nothing_is_left_and_none_is_removed(tmp_path):
    write(tmp_path)

    def interrupted():
        with new_version(tmp_path, keep=1) as version:
            (version.folder / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == ["1"]


def test_two_exports_at_once_get_a_version_each(tmp_path):
    with new_version(tmp_path) as first:
        (first.folder / "file").write_text("first")
        second = write(tmp_path)
    assert (second.name, first.folder.name) == ("1", "2")
    assert (first.folder / "file").read_text() == "first"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/models: cannot write a model there"):
        write(tmp_path / "file" / "models")


def test_a_folder_with_versions_of_another_format_is_refused_by_name(tmp_path):
    write(tmp_path)
    refuse_other_files(tmp_path, "file")
    with pytest.raises(InputError, match=rf"{tmp_path / '1'}.*--out"):
        refuse_other_files(tmp_path, "*.onnx")


def test_a_folder_that_is_not_there_yet_is_fine(tmp_path):
    refuse_other_files(tmp_path / "none", "*.onnx")
