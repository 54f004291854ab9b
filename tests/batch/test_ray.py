"""A batch on Ray, with two workers, killed again and again."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from batch.broken_images import BROKEN
from batch.kills import run_with_kills

from retinaface_tf.batch.ray import _share_cluster
from retinaface_tf.batch.run import run_batch

IMAGES, KILLS = 300, 3


@pytest.fixture(scope="module")
def photos(drawn, tmp_path_factory) -> Path:
    """Makes links to drawn images, over and over, and a file for each way of being broken."""
    folder = tmp_path_factory.mktemp("photos")
    files = sorted(drawn.rglob("*.jpg"))
    for number in range(IMAGES):
        (folder / f"{number:03d}.jpg").symlink_to(files[number % len(files)])
    for name, data in BROKEN.items():
        (folder / name).write_bytes(data)
    return folder


def rows(out: Path) -> list[dict]:
    return sorted(pq.read_table(out / "detections").to_pylist(), key=lambda row: row["path"])


def as_numbers(row: dict) -> np.ndarray:
    return np.array([[*f["box"], *np.ravel(f["landmarks"])] for f in row["faces"]]).reshape(-1, 14)


@pytest.mark.parametrize(
    ("nodes", "workers", "share"),
    [
        ([{"CPU": 2.0}], None, (2, 1, 0)),
        ([{"CPU": 2.0}], 4, (4, 0.5, 0)),
        ([{"CPU": 16.0, "GPU": 2.0}], None, (2, 8, 1)),
        ([{"CPU": 16.0, "GPU": 1.0}], 4, (4, 4, 0.25)),
        ([{"memory": 1.0}, {"CPU": 4.0}, {"CPU": 8.0}], 2, (2, 4, 0)),
    ],
)
def test_workers_share_cores_and_gpus_and_each_fits_on_every_machine(nodes, workers, share):
    ray = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": node} for node in nodes])
    assert _share_cluster(ray, workers) == share


@pytest.mark.slow
def test_whatever_is_killed_each_image_has_the_row_of_an_undisturbed_run(
    photos, onnx_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAY_ADDRESS", "local")
    command = [sys.executable, "-m", "retinaface_tf.batch", str(photos)]
    command += [f"--weights={onnx_file}", f"--out={tmp_path / 'killed'}"]
    command += ["--engine=ray", "--workers=2"]
    assert run_with_kills(command, tmp_path / "killed", KILLS, gap=0.5) == KILLS
    run_batch([str(photos)], tmp_path / "alone", str(onnx_file))
    killed, alone = rows(tmp_path / "killed"), rows(tmp_path / "alone")
    assert len(alone) == IMAGES + len(BROKEN)
    for one, other in zip(killed, alone, strict=True):
        for key in ("path", "width", "height", "error"):
            assert one[key] == other[key]
        np.testing.assert_allclose(as_numbers(one), as_numbers(other), rtol=0, atol=1e-2)
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {"batch.json", "detections", "manifests", "summary.json"}


@pytest.mark.slow
def test_what_stops_a_worker_stops_the_batch_in_one_line(photos, command, tmp_path):
    """Ray would try again what raises."""
    shutil.copy(photos / "text.jpg", tmp_path / "none.onnx")
    done = command(
        *("-m", "retinaface_tf.batch", photos, "--engine=ray", "--workers=1"),
        *(f"--weights={tmp_path / 'none.onnx'}", f"--out={tmp_path / 'out'}"),
    )
    assert done.returncode == 1
    assert f"error: {tmp_path / 'none.onnx'}: " in done.stderr
    assert "Traceback" not in done.stderr
