import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from retinaface_tf.detect.output import Output, OutputOptions
from retinaface_tf.detect.sources import Source
from retinaface_tf.detections import Detections
from retinaface_tf.errors import InputError

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


def test_frames_of_a_video_become_a_video_at_its_rate(tmp_path, frame, face):
    source = Source("v.avi", "video", Path("sub/v.avi.mp4"))
    with Output(tmp_path, replace(NOTHING, pictures=True, crop=True)) as output:
        for i in range(6):
            output.write(frame._replace(source=source, number=i, rate=12.0), face)
        output.write(frame, Detections.none())
    video = cv2.VideoCapture(str(tmp_path / "sub/v.avi.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert video.get(cv2.CAP_PROP_FPS) == 12
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


def test_a_picture_that_cannot_be_written_is_told(tmp_path, frame, face):
    (tmp_path / "a.png.jpg").mkdir()
    with (
        Output(tmp_path, replace(NOTHING, pictures=True)) as output,
        pytest.raises(InputError, match=r"a.png.jpg: cannot be written"),
    ):
        output.write(frame, face)
