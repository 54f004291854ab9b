from pathlib import Path

import pytest

from retinaface_tf.detect.sources import Source, count_frames, find_sources
from retinaface_tf.errors import InputError


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_folders_are_searched_for_images_and_videos_with_all_below(tmp_path):
    touch(*(tmp_path / name for name in ("b/c.PNG", "a.jpg", "v.mp4", "v.avi", "v.MTS", "a.txt")))
    sources = find_sources([str(tmp_path)], tmp_path / "out")
    assert [(s.kind, str(s.picture)) for s in sources] == [
        ("image", "a.jpg"),
        ("image", "b/c.PNG.jpg"),
        ("video", "v.MTS.mp4"),
        ("video", "v.avi.mp4"),
        ("video", "v.mp4"),
    ]


def test_a_number_or_a_device_is_a_camera_unless_a_file_has_that_name(tmp_path, monkeypatch):
    cameras = find_sources(["0", "/dev/video7"], tmp_path)
    assert cameras == [
        Source("0", "camera", Path("camera0.mp4")),
        Source("/dev/video7", "camera", Path("cameravideo7.mp4")),
    ]
    monkeypatch.chdir(tmp_path)
    touch(Path("0"))
    assert find_sources(["0"], tmp_path / "out")[0].kind == "image"


def test_an_address_is_a_stream_whose_picture_and_name_have_no_password(tmp_path):
    address = "http://me:secret@cam.local:8080/video.mjpg?fps=5"
    [source] = find_sources([address], tmp_path)
    assert source == Source(address, "stream", Path("cam.local_8080_video.mjpg_fps_5.mp4"))
    assert source.name == "http://cam.local:8080/video.mjpg?fps=5"
    assert count_frames([source], None) is None


def test_what_an_earlier_run_wrote_is_no_input(tmp_path):
    touch(tmp_path / "a.jpg", tmp_path / "out/a.jpg", tmp_path / "out/crops/a_0.jpg")
    [source] = find_sources([str(tmp_path)], tmp_path / "out")
    assert source.path == str(tmp_path / "a.jpg")


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none: no such image, video, folder or camera"):
        find_sources([str(tmp_path / "none")], tmp_path / "out")
    with pytest.raises(InputError, match="no image or video there; expected "):
        find_sources([str(tmp_path)], tmp_path / "out")
    touch(tmp_path / "one/a.jpg", tmp_path / "two/a.jpg")
    with pytest.raises(InputError, match=r"both would be drawn to a\.jpg"):
        find_sources([str(tmp_path / "one"), str(tmp_path / "two")], tmp_path / "out")


def test_two_inputs_may_share_a_name_where_no_file_is_named_after_them(tmp_path):
    touch(tmp_path / "one/a.jpg", tmp_path / "two/a.jpg")
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    sources = find_sources([*folders, folders[0]], tmp_path / "out", named=False)
    assert [source.path for source in sources] == [f"{folder}/a.jpg" for folder in folders]


@pytest.mark.parametrize("inputs", [["a.jpg"], ["."], ["sub"], ["elsewhere/b.jpg", "sub/c.jpg"]])
def test_what_lies_in_the_folder_of_results_is_refused_by_name(tmp_path, monkeypatch, inputs):
    touch(tmp_path / "in/a.jpg", tmp_path / "in/sub/c.jpg", tmp_path / "elsewhere/b.jpg")
    monkeypatch.chdir(tmp_path / "in")
    (tmp_path / "in/elsewhere").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=rf"^{inputs[-1]}: .*folder of results"):
        find_sources(inputs, Path())


def test_frames_are_counted_ahead_but_for_a_camera(tmp_path, video):
    touch(tmp_path / "a.jpg")
    sources = find_sources([str(tmp_path / "a.jpg"), str(video)], tmp_path / "out")
    assert count_frames(sources, None) == 13
    assert count_frames(sources, 5) == 6
    camera = find_sources(["0"], tmp_path)
    assert count_frames(camera, None) is None
    assert count_frames(camera, 5) == 5
