import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.data.video import writing
from retinaface_tf.detect.output import Output, OutputOptions
from retinaface_tf.detect.sources import Source
from retinaface_tf.detections import Detections

NOTHING = OutputOptions(pictures=False)


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "detections.jsonl").read_text().splitlines()]


def test_crops_and_aligned_faces_are_named_in_the_results(tmp_path, frame, face):
    wanted = replace(NOTHING, crop=True, margin=0.5, align="arcface112")
    with Output(tmp_path, wanted) as output:
        output.write(frame, face[[0, 0]])
    [line] = lines(tmp_path)
    names = [(one["crop"], one["aligned"]) for one in line["faces"]]
    assert names == [
        ("crops/a.png_0.jpg", "aligned/a.png_0.jpg"),
        ("crops/a.png_1.jpg", "aligned/a.png_1.jpg"),
    ]
    assert cv2.imread(str(tmp_path / names[0][0])).shape == (40, 40, 3)
    assert cv2.imread(str(tmp_path / names[0][1])).shape == (112, 112, 3)
    matrix = np.array(line["faces"][0]["matrix"])
    nose = matrix @ [*line["faces"][0]["landmarks"][2], 1]
    np.testing.assert_allclose(nose, [56, 72], atol=3)
    assert not (tmp_path / "a.png.jpg").exists()


@pytest.mark.parametrize("library", ["pyav", "opencv"])
def test_frames_of_a_video_become_a_video(tmp_path, frame, face, library, monkeypatch):
    monkeypatch.setattr(writing, "has_pyav", lambda: library == "pyav")
    source = Source("v.avi", "video", Path("sub/v.avi.mp4"))
    with Output(tmp_path, replace(NOTHING, pictures=True, crop=True)) as output:
        for i in range(6):
            part = frame._replace(source=source, number=i, seconds=i / 12, rate=12.0)
            output.write(part, face)
        output.write(frame, Detections.none())
    video = cv2.VideoCapture(str(tmp_path / "sub/v.avi.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12)
    assert lines(tmp_path)[3]["faces"][0]["crop"] == "crops/sub/v.avi_000003_0.jpg"
    assert (tmp_path / "a.png.jpg").exists()


def test_pictures_are_blurred_instead_of_boxed_if_so_wanted(tmp_path, frame, face):
    image = np.full((100, 100, 3), 128, np.uint8)
    image[42:58, 42:58:2] = 0  # the face: stripes
    image[42:58, 43:58:2] = 255
    with Output(tmp_path, replace(NOTHING, pictures=True, blur=True)) as output:
        output.write(frame._replace(pixels=image), face)
    picture = cv2.imread(str(tmp_path / "a.png.jpg")).astype(int)
    assert np.abs(picture - 128).max() < 30, "neither stripes nor a box"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("blocked.png", OutputOptions()),
        ("x" * 254, OutputOptions()),
        ("x" * 260 + "/a.png", OutputOptions(pictures=False, crop=True)),
        ("x" * 254, OutputOptions(pictures=False, align="arcface112")),
    ],
)
def test_a_picture_that_cannot_be_written_is_named_and_its_faces_are_kept(
    tmp_path, frame, face, name, wanted
):
    (tmp_path / "blocked.png").mkdir()
    source = Source(name, "image", Path(name).with_suffix(".png"))
    with Output(tmp_path, wanted) as output:
        output.write(frame._replace(source=source), face)
        output.write(frame, face)
    [error] = output.errors
    assert name[:250] in error
    assert [len(line["faces"]) for line in lines(tmp_path)] == [1, 1]
    assert lines(tmp_path)[0]["faces"][0]["crop"] is None


@pytest.mark.parametrize("rate", [211.222, 1234.567])
def test_a_rate_that_mpeg4_lacks_is_rounded(tmp_path, frame, face, rate, monkeypatch):
    monkeypatch.setattr(writing, "has_pyav", lambda: False)
    video = Source("v.avi", "video", Path("v.avi.mp4"))
    with Output(tmp_path, OutputOptions()) as output:
        output.write(frame._replace(source=video, number=0, rate=rate), face)
    assert output.errors == []
    written = cv2.VideoCapture(str(tmp_path / "v.avi.mp4")).get(cv2.CAP_PROP_FPS)
    assert written == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize("library", ["pyav", "opencv"])
@pytest.mark.parametrize(("name", "shape"), [("v.mp4", (48, 40_000)), ("x" * 260, (48, 64))])
def test_a_video_that_cannot_be_written_is_named_once(
    tmp_path, frame, name, shape, library, monkeypatch
):
    monkeypatch.setattr(writing, "has_pyav", lambda: library == "pyav")
    source, pixels = Source("0", "camera", Path(name)), np.zeros((*shape, 3), np.uint8)
    with Output(tmp_path, OutputOptions()) as output:
        for number in range(2):
            part = frame._replace(source=source, number=number, seconds=number / 25, pixels=pixels)
            output.write(part, Detections.none())
    [error] = output.errors
    assert name in error
    assert len(lines(tmp_path)) == 2


def test_names_need_not_be_utf8(tmp_path, frame, face):
    name = os.fsdecode(b"\xff\xfe")
    image = Source(name, "image", Path(f"{name}.jpg"))
    video = Source(name, "video", Path(f"{name}.mp4"))
    with Output(tmp_path, OutputOptions(crop=True)) as output:
        output.write(frame._replace(source=image), face)
        output.write(frame._replace(source=video, number=0), face)
    assert [line["file"] for line in lines(tmp_path)] == [name, name]
    assert (tmp_path / f"{name}.jpg").exists()
    assert (tmp_path / f"crops/{name}_0.jpg").exists()
    assert "\\udcff\\udcfe" in (tmp_path / "detections.csv").read_text()
    [error] = output.errors  # OpenCV crashes on such names of videos
    assert "\\udcff\\udcfe.mp4" in error
