import pytest

from retinaface_tf.files import atomic_file, scratch_folder, write_text


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("before")
    with atomic_file(file) as scratch:
        scratch.write_text("after")
        assert file.read_text() == "before"
    assert file.read_text() == "after"
    assert [*tmp_path.iterdir()] == [file]


def test_a_file_whose_writing_fails_stays_as_it_was(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("before")
    with pytest.raises(UnicodeEncodeError), atomic_file(file) as scratch:
        scratch.write_text("\ud800", encoding="utf-8")
    assert file.read_text() == "before"
    assert [*tmp_path.iterdir()] == [file]


def test_the_hidden_name_ends_as_the_files_own(tmp_path):
    # Keras looks at it.
    with atomic_file(tmp_path / "a.weights.h5") as scratch:
        scratch.touch()
        assert scratch.name == ".a.weights.h5"


def test_text_is_written_in_utf_8(tmp_path):
    write_text(tmp_path / "a.txt", "é")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9"


def test_a_folder_that_was_renamed_stays_and_others_can_read_it(tmp_path):
    with scratch_folder(tmp_path / "new") as scratch:
        (scratch / "a").touch()
        scratch.rename(tmp_path / "new" / "1")
    assert [*tmp_path.rglob("*")] == [tmp_path / "new", tmp_path / "new/1", tmp_path / "new/1/a"]
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "new/1").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_folder_whose_filling_fails_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), scratch_folder(tmp_path) as scratch:
        (scratch / "absent" / "a").touch()
    assert not [*tmp_path.iterdir()]
