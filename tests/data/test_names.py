"""Names that others wrote stay inside of the folder that they are about."""

import pytest
from data.image_files import jpeg

from retinaface_tf.data.names import is_below, relative_name, starts_as_image
from retinaface_tf.errors import InputError

LEAD_OUT = [
    "/etc/passwd",
    "../secret.txt",
    "e/../../a.jpg",
    "..\\a.jpg",
    "e\\..\\..\\a.jpg",
    "C:\\a.jpg",
    "c:a.jpg",
    "\\\\server\\share\\a.jpg",
    "..",
    "",
    ".",
    "/",
    "a\0.jpg",
    "a.jpg\n# b.jpg",
    "a\u2028b.jpg",
    "\ud800.jpg",
    "\x1b[2J.jpg",
    "a" * 5000,
]


@pytest.mark.parametrize("name", LEAD_OUT, ids=ascii)
def test_a_name_that_leads_out_or_is_none_is_refused_in_one_printable_line(name):
    with pytest.raises(InputError) as error:
        relative_name(name, "label.txt:3")
    assert str(error.value).startswith("label.txt:3: ")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("e/a.jpg", "e/a.jpg"),
        ("e\\a.jpg", "e/a.jpg"),
        ("./e//a.jpg", "e/a.jpg"),
        ("..a/b...jpg", "..a/b...jpg"),
        ("0--Parade/b c.jpg", "0--Parade/b c.jpg"),
        ("人/Screenshot\u202f12:30.png", "人/Screenshot\u202f12:30.png"),
    ],
)
def test_other_names_are_kept_with_slashes(name, inside):
    assert relative_name(name, "label.txt:3") == inside


def test_a_file_is_below_a_folder_by_where_its_links_lead(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for place in (tmp_path / "secret", folder / "a"):
        place.touch()
    (folder / "inside").symlink_to("a")
    (folder / "outside").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    (tmp_path / "alias").symlink_to("folder")
    assert is_below(folder / "inside", folder)
    assert is_below(tmp_path / "alias/a", folder)
    assert is_below(folder / "a", tmp_path / "alias")
    assert not is_below(folder / "outside", folder)
    assert not is_below(folder / "up/secret", folder)


def test_an_image_is_known_by_its_first_bytes(tmp_path):
    file = tmp_path / "a.jpg"
    for start in (jpeg(), b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\0\0\0WEBP", b"BM" + bytes(9)):
        file.write_bytes(start + bytes(40))
        assert starts_as_image(file)
    for start in (b"", b"root:x:0:0:root", b"BMW 320d, 2019", b"RIFF\x10\0\0\0WAVE", b"\xff\xd8"):
        file.write_bytes(start)
        assert not starts_as_image(file)
