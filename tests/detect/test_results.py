import csv
import json
from pathlib import Path

import numpy as np

from retinaface_tf.detect.results import CSV_COLUMNS, CutOut, Results
from retinaface_tf.detect.sources import Source
from retinaface_tf.detections import Detections

KEYS = {"file", "frame", "seconds", "width", "height", "faces"}
FACE_KEYS = {"box", "score", "landmarks", "crop", "aligned", "matrix"}


def test_every_line_has_the_same_keys_and_no_face_is_an_empty_list(tmp_path, frame, face):
    video = frame._replace(source=Source("v.mp4", "video", Path("v.mp4")), number=7, seconds=0.28)
    with Results(tmp_path) as results:
        results.write(frame, face[[0, 0]], [CutOut(), CutOut("crops/a.jpg", matrix=np.eye(2, 3))])
        results.write(video, Detections.none(), [])
    image, empty = map(json.loads, (tmp_path / "detections.jsonl").read_text().splitlines())
    assert set(image) == set(empty) == KEYS
    assert [set(one) for one in image["faces"]] == [FACE_KEYS, FACE_KEYS]
    assert image["file"] == "dir/a.png"
    assert (image["frame"], image["seconds"]) == (None, None)
    assert image["faces"][0] == {
        "box": [40, 40, 60, 60],
        "score": 0.875,
        "landmarks": [[44, 44], [56, 44], [50, 50], [46, 58], [54, 58]],
        "crop": None,
        "aligned": None,
        "matrix": None,
    }
    assert image["faces"][1]["matrix"] == [[1, 0, 0], [0, 1, 0]]
    assert empty == {
        **{"file": "v.mp4", "frame": 7, "seconds": 0.28, "width": 100, "height": 100},
        "faces": [],
    }
    assert (results.images, results.faces) == (2, 2)


def test_the_csv_has_a_line_for_each_face(tmp_path, frame, face):
    with Results(tmp_path) as results:
        results.write(frame, face, [CutOut()])
        results.write(frame, Detections.none(), [])
    with (tmp_path / "detections.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert tuple(row) == CSV_COLUMNS
    assert row["file"] == "dir/a.png"
    assert row["frame"] == row["crop"] == ""
    assert [row[k] for k in ("score", "x1", "y1", "x2", "y2")] == [
        "0.875",
        *("40.0",) * 2,
        *("60.0",) * 2,
    ]
    assert (row["nose_x"], row["nose_y"], row["right_mouth_corner_y"]) == ("50.0", "50.0", "58.0")


def test_the_counts_are_in_words(tmp_path, frame, face):
    with Results(tmp_path) as results:
        assert str(results) == "0 faces in no image"
        results.write(frame, face, [CutOut()])
        assert str(results) == "1 face in 1 image"
        results.write(frame, Detections.none(), [])
        assert str(results) == "1 face in 2 images"
        for number in range(3):
            results.write(frame._replace(number=number), face, [CutOut()])
        assert str(results) == "4 faces in 2 images and 3 frames"


def test_what_was_written_before_an_error_stays(tmp_path, frame, face):
    try:
        with Results(tmp_path) as results:
            results.write(frame, face, [CutOut()])
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert len((tmp_path / "detections.jsonl").read_text().splitlines()) == 1
