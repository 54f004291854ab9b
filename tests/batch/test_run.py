"""A batch in this process; its detector finds the whole image, as probable as it is bright."""

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from batch.broken_images import BROKEN
from brightness import Brightness

from retinaface_tf.batch import worker
from retinaface_tf.batch.__main__ import ENGINE_NAMES
from retinaface_tf.batch.results import Summary
from retinaface_tf.batch.run import ENGINES, run_batch
from retinaface_tf.errors import InputError


class Counting(Brightness):
    """Counts the images that it looks at, and is interrupted once they are so many."""

    def __init__(self, limit: int = 1000):
        super().__init__()
        self.batches: list[int] = []
        self.limit = limit

    def detect_together(self, images, nms_iou=None):
        if sum(self.batches) >= self.limit:
            raise KeyboardInterrupt
        self.batches.append(len(images))
        return super().detect_together(images, nms_iou)


@pytest.fixture
def detector(monkeypatch) -> Counting:
    detector = Counting()
    monkeypatch.setattr(worker, "open_detector", lambda _: detector)
    return detector


@pytest.fixture
def photos(tmp_path) -> Path:
    """Writes three images of 30 x 20, of which the second is bright, and all that is broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, grey in enumerate((0, 255, 51)):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((20, 30, 3), grey, np.uint8))
    for name, data in BROKEN.items():
        (folder / name).write_bytes(data)
    return folder


def table(out: Path) -> dict[str, dict]:
    rows = pq.read_table(out / "detections").to_pylist()
    assert len({row["path"] for row in rows}) == len(rows)
    return {Path(row["path"]).name: row for row in rows}


def run(source: Path, out: Path, model: str = "made up", **options) -> Summary:
    return run_batch([str(source)], out, model, **options)


def test_each_image_is_a_row_with_its_size_and_faces(detector, photos, tmp_path):
    summary = run(photos, tmp_path / "out")
    assert summary == Summary(images=3 + len(BROKEN), faces=1, errors=len(BROKEN))
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["faces"] == 1
    rows = table(tmp_path / "out")
    face = {"box": [0, 0, 30, 20], "score": 1, "landmarks": [[0, 0]] * 5}
    size = {"width": 30, "height": 20, "error": None}
    assert rows["0.png"] == {"path": f"{photos}/0.png", "faces": [], **size}
    assert rows["1.png"] == {"path": f"{photos}/1.png", "faces": [face], **size}


def test_a_bad_file_is_a_row_with_its_error(detector, photos, tmp_path):
    (tmp_path / "list.txt").write_text(f"{photos}/0.png\n{photos}/none.jpg\n")
    run(photos, tmp_path / "out")
    run(tmp_path / "list.txt", tmp_path / "out")
    rows = table(tmp_path / "out")
    for name in (*BROKEN, "none.jpg"):
        assert rows[name]["error"].startswith(f"{photos / name}: ")
        assert (rows[name]["width"], rows[name]["height"], rows[name]["faces"]) == (None, None, [])


def test_lower_scores_are_left_out(detector, photos, tmp_path):
    assert run(photos, tmp_path / "out", score_threshold=0.2).faces == 2


def test_images_of_one_size_are_detected_together(detector, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("retinaface_tf.batch.shards.MIN_SHARDS", 1)
    cv2.imwrite(str(photos / "1a.png"), np.zeros((8, 9, 3), np.uint8))
    run(photos, tmp_path / "a")
    assert sorted(detector.batches) == [1, 3]
    monkeypatch.setattr(worker, "BATCH_PIXELS", 2 * 20 * 30)
    detector.batches.clear()
    run(photos, tmp_path / "b")
    assert sorted(detector.batches) == [1, 1, 2]


def test_what_is_done_is_not_done_again_and_what_came_is_added(detector, photos, tmp_path):
    detector.limit = 2
    with pytest.raises(KeyboardInterrupt):
        run(photos, tmp_path / "out")
    assert len(table(tmp_path / "out")) < 3 + len(BROKEN)
    detector.limit = 1000
    run(photos, tmp_path / "out")
    assert sum(detector.batches) == 3
    (photos / "0.png").rename(photos / "9.png")
    assert run(photos, tmp_path / "out").images == 4 + len(BROKEN)
    assert sum(detector.batches) == 4
    assert {"0.png", "9.png"} < table(tmp_path / "out").keys()


def test_what_a_killed_worker_left_half_is_removed(detector, photos, tmp_path):
    scratch = tmp_path / "out" / "detections" / ".writing-x"
    scratch.mkdir(parents=True)
    (scratch / "part-00000-000000.parquet").write_bytes(b"PAR1")
    run(photos, tmp_path / "out")
    assert not scratch.exists()
    assert len(table(tmp_path / "out")) == 3 + len(BROKEN)


def test_a_folder_begun_with_another_model_or_score_is_refused(detector, photos, tmp_path):
    run(photos, tmp_path / "out")
    for options in ({"model": "another"}, {"score_threshold": 0.25}):
        with pytest.raises(InputError, match=str(tmp_path / "out")) as error:
            run(photos, tmp_path / "out", **options)
        assert "made up" in str(error.value)


def test_a_model_that_is_not_there_is_named_by_whatever_engine(photos, tmp_path):
    with pytest.raises(InputError, match=r"none\.onnx"):
        run(photos, tmp_path / "out", str(tmp_path / "none.onnx"))


def test_a_folder_of_results_that_cannot_be_written_is_named(detector, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "detections").write_text("a file")
    with pytest.raises(InputError, match=str(tmp_path / "out")):
        run(photos, tmp_path / "out")


def test_the_flag_names_every_engine():
    assert list(ENGINES) == ENGINE_NAMES
